#include "cli/autoshard_micro_batches.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/quantity.hpp"
#include "cli/value_or_leave.hpp"

namespace cli {

namespace {

namespace autoshard = strategies::autoshard;

using Answer = tl::expected<autoshard::Solution, autoshard::Conflict>;

Answer solved(const AutoshardProblem& problem, const autoshard::Demands& demands) {
  return value_or_leave(autoshard::solve_with(autoshard::Pricing(problem.problem), demands));
}

/// Of equally quick ones the first; none: there is no solution.
const viz::MicroBatchTrial* quickest(const std::vector<viz::MicroBatchTrial>& trials) {
  const viz::MicroBatchTrial* best = nullptr;
  for (const viz::MicroBatchTrial& trial : trials)
    if (trial.solution && (best == nullptr || trial.solution->time < best->solution->time))
      best = &trial;
  return best;
}

}  // namespace

std::string reason_of(const autoshard::NoSolution& none) {
  switch (none.reason) {
    case autoshard::NoSolution::Reason::choices: return "the sizes do not allow it";
    case autoshard::NoSolution::Reason::memory:
      return "needs " + base::format_bytes(base::Bytes::from_double(none.nearest_bytes));
    case autoshard::NoSolution::Reason::slower:
    case autoshard::NoSolution::Reason::unknown: break;
  }
  return "none was found";
}

BestCut cut_batch_best(AutoshardProblem& problem) {
  BestCut cut{{}, tl::unexpected(autoshard::Conflict{})};
  autoshard::Demands without_memory = problem.demands;
  without_memory.memory = {};
  std::vector<std::size_t> too_large;
  for (const int count : problem.micro_batch_choices()) {
    problem.cut_batch(count);
    Answer free = solved(problem, without_memory);
    viz::MicroBatchTrial& trial = cut.trials.emplace_back(count);
    if (!free) {
      trial.reason = reason_of(free.error().why);
      cut.answer = std::move(free);
    } else if (problem.demands.memory.contains(free->memory_bytes)) {
      trial.solution = *free;
    } else {
      too_large.push_back(cut.trials.size() - 1);
    }
  }
  for (auto i = too_large.rbegin(); i != too_large.rend(); ++i) {
    viz::MicroBatchTrial& trial = cut.trials[*i];
    problem.cut_batch(trial.micro_batches);
    autoshard::Demands demands = problem.demands;
    if (const auto* best = quickest(cut.trials)) demands.quicker_than = best->solution->time;
    Answer answer = solved(problem, demands);
    if (answer) {
      trial.solution = *answer;
    } else {
      const bool slower = answer.error().why.reason == autoshard::NoSolution::Reason::slower;
      trial.reason =
          slower ? fmt::format("not less than {}", base::format_seconds(demands.quicker_than))
                 : reason_of(answer.error().why);
      cut.answer = std::move(answer);
    }
  }
  const viz::MicroBatchTrial* best = quickest(cut.trials);
  if (best == nullptr) return cut;
  problem.cut_batch(best->micro_batches);
  cut.answer = *best->solution;
  return cut;
}

}  // namespace cli
