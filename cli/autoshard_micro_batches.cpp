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

class BestOf {
 public:
  void take(int count, const autoshard::Solution& solution) {
    if (solution_ &&
        (solution.time > solution_->time || (solution.time == solution_->time && count > count_)))
      return;
    solution_ = solution;
    count_ = count;
  }
  const std::optional<autoshard::Solution>& solution() const { return solution_; }
  int count() const { return count_; }

 private:
  std::optional<autoshard::Solution> solution_;
  int count_ = 0;
};

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
  BestOf best;
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
      best.take(count, *free);
    } else {
      too_large.push_back(cut.trials.size() - 1);
    }
  }
  for (auto i = too_large.rbegin(); i != too_large.rend(); ++i) {
    viz::MicroBatchTrial& trial = cut.trials[*i];
    problem.cut_batch(trial.micro_batches);
    autoshard::Demands demands = problem.demands;
    if (best.solution()) demands.quicker_than = best.solution()->time;
    Answer answer = solved(problem, demands);
    if (answer) {
      trial.solution = *answer;
      best.take(trial.micro_batches, *answer);
    } else {
      const bool slower = answer.error().why.reason == autoshard::NoSolution::Reason::slower;
      trial.reason =
          slower ? fmt::format("not less than {}", base::format_seconds(best.solution()->time))
                 : reason_of(answer.error().why);
      cut.answer = std::move(answer);
    }
  }
  if (!best.solution()) return cut;
  problem.cut_batch(best.count());
  cut.answer = *best.solution();
  return cut;
}

}  // namespace cli
