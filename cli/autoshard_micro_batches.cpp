#include "cli/autoshard_micro_batches.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/quantity.hpp"
#include "cli/value_or_leave.hpp"

namespace cli {

namespace {

namespace autoshard = strategies::autoshard;

/// The best within the demands, if it can be quicker than `best`; nothing: it cannot.
std::optional<tl::expected<autoshard::Solution, autoshard::Conflict>> better_than(
    const std::optional<autoshard::Solution>& best, const AutoshardProblem& problem) {
  const autoshard::Pricing pricing(problem.problem);
  autoshard::Demands without_memory = problem.demands;
  without_memory.memory = {};
  auto free = value_or_leave(autoshard::solve_with(pricing, without_memory));
  if (!free || problem.demands.memory.contains(free->memory_bytes)) return free;
  if (best && free->bound >= best->time) return std::nullopt;
  return value_or_leave(autoshard::solve_with(pricing, problem.demands));
}

}  // namespace

std::string reason_of(const autoshard::NoSolution& none) {
  switch (none.reason) {
    case autoshard::NoSolution::Reason::choices: return "the sizes do not allow it";
    case autoshard::NoSolution::Reason::memory:
      return "needs " + base::format_bytes(base::Bytes::from_double(none.nearest_bytes));
    case autoshard::NoSolution::Reason::unknown: break;
  }
  return "none was found";
}

BestCut cut_batch_best(AutoshardProblem& problem) {
  std::optional<autoshard::Solution> best;
  int best_count = 0;
  BestCut cut{{}, tl::unexpected(autoshard::Conflict{})};
  for (const int count : problem.micro_batch_choices()) {
    problem.cut_batch(count);
    auto answer = better_than(best, problem);
    viz::MicroBatchTrial trial{count, {}, {}};
    if (!answer) {
      trial.reason = fmt::format("not less than {}", base::format_seconds(best->time));
    } else if (!*answer) {
      trial.reason = reason_of(answer->error().why);
      if (!best) cut.answer = std::move(*answer);
    } else {
      trial.solution = **answer;
      if (!best || trial.solution->time < best->time) {
        best = trial.solution;
        best_count = count;
      }
    }
    cut.trials.push_back(std::move(trial));
  }
  if (!best) return cut;
  problem.cut_batch(best_count);
  cut.answer = std::move(*best);
  return cut;
}

}  // namespace cli
