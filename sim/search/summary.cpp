#include "sim/search/summary.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/quantity.hpp"

namespace sim::search {

Summary summarise(const Space& space, const Outcome& outcome) {
  Summary summary;
  for (int i = 0; i < axis_count; ++i) {
    const auto axis = static_cast<Axis>(i);
    if (space.size(axis) < 2) continue;
    std::vector<std::string> values;
    for (const int value : space.of(axis)) values.push_back(text_of(axis, value));
    summary.axes.emplace_back(key_of(axis), std::move(values));
  }
  summary.plans = outcome.plans;
  summary.counts = outcome.counts;
  summary.undecided = outcome.undecided;
  summary.units = outcome.units;
  summary.kept = outcome.kept;
  summary.too_large = outcome.too_large;
  summary.simulated = outcome.simulated;
  summary.not_simulated =
      static_cast<int>(std::count_if(outcome.best.begin(), outcome.best.end(),
                                     [](const Found& one) { return !one.simulated.has_value(); }));
  summary.slowdown = outcome.slowdown;
  summary.stopped = outcome.stopped;
  summary.proven = outcome.proven();
  summary.bound = outcome.bound;
  summary.gap = outcome.gap();
  summary.rounds = outcome.rounds;
  return summary;
}

std::string verdict(const Summary& summary) {
  if (summary.proven)
    return summary.simulated > 0
               ? "the best of the space: every other plan takes at least as long even without "
                 "contention"
               : "the best of the space by the analytic engine, which knows no contention";
  return fmt::format(
      "at most {:.1f} % from the best of the space: no plan takes less than {}, which is what the "
      "best one that was not simulated takes without contention",
      100 * summary.gap, base::format_seconds(base::Seconds::from_s(summary.bound)));
}

}  // namespace sim::search
