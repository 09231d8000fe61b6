#include "cli/what_if.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "base/check.hpp"
#include "cli/progress.hpp"
#include "cli/workers.hpp"
#include "sim/what_if.hpp"

namespace cli {

bool quick_to_play(const sim::Timeline& timeline) {
  constexpr std::uint64_t activities_max = 500'000;
  return timeline.activities <= activities_max;
}

std::vector<sim::ChangedStep> play_changes(const sim::Scenario& scenario, const Forecast& forecast,
                                           sim::Fidelity fidelity) {
  const std::vector<sim::Change> changes = sim::changes_of(forecast.graph);
  const std::vector<topology::GpuId> gpu_of_rank = sim::place_ranks(scenario);
  Progress progress("what if");
  const auto times = map_in_processes<double>(
      static_cast<int>(changes.size()),
      [&](int i) {
        return sim::step_with(changes[static_cast<std::size_t>(i)], forecast.graph,
                              scenario.cluster, gpu_of_rank, engine_options(scenario, fidelity))
            .s();
      },
      [&](double share) { progress.update(share); });
  std::vector<sim::ChangedStep> steps;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const std::string name(sim::name_of(changes[i]));
    if (!times[i].failure.empty())
      throw base::EnvironmentError(
          fmt::format("the step with {} cannot be played: {}", name, times[i].failure));
    steps.push_back({name, base::Seconds::from_s(times[i].value)});
  }
  std::stable_sort(
      steps.begin(), steps.end(),
      [](const sim::ChangedStep& a, const sim::ChangedStep& b) { return a.step < b.step; });
  return steps;
}

}  // namespace cli
