#include "cli/plan_forecasts.hpp"

#include <fmt/format.h>

#include "base/check.hpp"
#include "cli/forecast.hpp"
#include "cli/plan_forecast_bytes.hpp"
#include "cli/workers.hpp"
#include "sim/plan_reader.hpp"

namespace cli {

using sim::compare::PlanForecast;

base::Result<PlanForecast> plan_forecast(const sim::Scenario& scenario,
                                         const calibrate::Calibrations& calibrations,
                                         sim::Fidelity fidelity) {
  const base::Result<Forecast> answer = forecast(scenario, calibrations, fidelity, {});
  if (!answer) return tl::unexpected(answer.error());
  return sim::compare::plan_forecast(answer->report);
}

namespace {

/// What was noted of the scenario's own plan holds for no other.
void forget_unused_gpus(sim::Scenario& scenario) {
  const auto gpus = static_cast<int>(gpus_of(scenario.placement, scenario.cluster).size());
  const auto unused = sim::unused_gpus(scenario.plan, gpus, scenario.origins);
  if (unused)
    std::erase_if(scenario.notes,
                  [&](const base::Diagnostic& note) { return note.format() == unused->format(); });
}

}  // namespace

std::vector<base::Result<PlanForecast>> forecast_plans(
    const sim::Scenario& scenario, const std::vector<sim::compare::Candidate>& plans,
    const calibrate::Calibrations& calibrations, sim::Fidelity fidelity,
    const std::function<void(double)>& progress) {
  sim::Scenario mine = scenario;  // each process changes its own
  forget_unused_gpus(mine);
  const std::vector<TextResult> results = texts_in_processes(
      static_cast<int>(plans.size()),
      [&](int i) {
        mine.plan = plans[static_cast<std::size_t>(i)].plan;
        return to_bytes(plan_forecast(mine, calibrations, fidelity));
      },
      progress);
  std::vector<base::Result<PlanForecast>> answers;
  for (std::size_t i = 0; i < plans.size(); ++i) {
    if (!results[i].failure.empty())
      throw base::EnvironmentError(
          fmt::format("plan '{}' has no answer: {}", plans[i].name, results[i].failure));
    answers.push_back(from_bytes(results[i].value));
    if (!answers[i]) continue;
    answers[i]->name = plans[i].name;
    answers[i]->plan = plans[i].plan;
    answers[i]->gpu_hour = plans[i].gpu_hour;
  }
  return answers;
}

}  // namespace cli
