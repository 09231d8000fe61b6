#include "cli/plan_search.hpp"

#include <fmt/format.h>

#include <utility>

#include "base/check.hpp"
#include "cli/forecast.hpp"
#include "cli/workers.hpp"

namespace cli {

using sim::search::Answer;
using sim::search::Confirmation;
using sim::search::PlanCode;
using sim::search::Task;

PlanSearch::PlanSearch(const sim::Scenario& scenario, const calibrate::Calibrations& calibrations,
                       sim::search::Space space, const calibrate::MadeProfile& profile)
    : scenario_(scenario),
      calibrations_(calibrations),
      space_(std::move(space)),
      explorer_(space_, scenario.model, scenario.cluster, *profile.profile,
                sim::gpus_of(scenario.placement, scenario.cluster)) {}

Answer PlanSearch::perform(const Task& task) {
  Answer answer;
  switch (task.kind) {
    case Task::Kind::floor: answer.floor = explorer_.floor(task.code); break;
    case Task::Kind::explore: answer.unit = explorer_.explore(task.code, task.limit); break;
    case Task::Kind::confirm: answer.confirmation = confirm(task.code); break;
  }
  return answer;
}

sim::Scenario PlanSearch::with(const PlanCode& code) const {
  sim::Scenario chosen = scenario_;
  chosen.plan = space_.plan(code);
  const auto problems = strategies::check_plan(
      chosen.plan, chosen.model,
      static_cast<int>(sim::gpus_of(chosen.placement, chosen.cluster).size()), {});
  CHECK_INVARIANT(!base::has_errors(problems));
  return chosen;
}

Confirmation PlanSearch::confirm(const PlanCode& code) const {
  const sim::Scenario chosen = with(code);
  const auto answer = forecast(chosen, calibrations_, chosen.fidelity, {});
  if (!answer)
    throw base::EnvironmentError(
        fmt::format("{}: {}", strategies::describe(chosen.plan), answer.error().front().message));
  return {answer->report.step.s(), answer->report.memory.fits};
}

std::vector<Answer> perform_in_processes(PlanSearch& search, const std::vector<Task>& tasks) {
  const auto results = map_in_processes<Answer>(
      static_cast<int>(tasks.size()),
      [&](int i) { return search.perform(tasks[static_cast<std::size_t>(i)]); }, {});
  std::vector<Answer> answers;
  for (const WorkResult<Answer>& result : results) {
    if (!result.failure.empty())
      throw base::EnvironmentError(fmt::format("a part of the search failed: {}", result.failure));
    answers.push_back(result.value);
  }
  return answers;
}

}  // namespace cli
