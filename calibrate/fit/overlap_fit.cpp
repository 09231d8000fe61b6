#include "calibrate/fit/overlap_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>
#include <vector>

#include "calibrate/store/store.hpp"

namespace calibrate::fit {

std::string describe(const OverlapKey& key, const std::string& version) {
  return fmt::format("{} beside {}", key.memory_bound ? "memory-bound kernels" : "products",
                     describe(key.collective, version));
}

OverlapFit::Share OverlapFit::at(double bytes) const {
  const auto taken = [](double slowed) { return 1 - 1 / slowed; };
  const auto above = slowed_.lower_bound(bytes);
  if (above == slowed_.end()) return {taken(std::prev(above)->second), false};
  if (above->first == bytes || above == slowed_.begin())
    return {taken(above->second), above->first == bytes};
  const auto below = std::prev(above);
  // A message of nothing has no logarithm.
  const double from = std::log(std::max(1.0, below->first));
  const double to = std::log(above->first);
  const double along = to > from ? (std::log(std::max(1.0, bytes)) - from) / (to - from) : 1;
  return {taken(std::lerp(below->second, above->second, along)), true};
}

OverlapFits fit_overlaps(std::span<const RunRecords> runs) {
  struct Measured {
    std::map<double, std::vector<double>> sizes;
    Basis basis;
  };
  std::map<OverlapKey, Measured> measured;
  for (const RunRecords& run : runs)
    for (const OverlapRecord& record : run.overlaps) {
      if (!store::usable(run, record)) continue;
      const CollectiveRecord& collective = run.collectives[record.collective];
      const KernelRecord& kernel = run.kernels[record.kernel];
      const auto slower = slowed(kernel.times, record.kernel_times);
      if (!slower) continue;
      Measured& of_key =
          measured[{key_of(collective), std::holds_alternative<base::MemoryBound>(kernel.kernel)}];
      // Faster than alone is noise.
      of_key.sizes[collective.bytes.as_double()].push_back(std::max(1.0, *slower));
      of_key.basis.add(run.run, collective.library_version);
    }
  OverlapFits fits;
  for (auto& [key, of_key] : measured) {
    std::map<double, double> slower;
    for (auto& [bytes, values] : of_key.sizes) slower[bytes] = median(std::move(values));
    fits.emplace(key, FittedOverlap{OverlapFit(std::move(slower)), std::move(of_key.basis)});
  }
  return fits;
}

}  // namespace calibrate::fit
