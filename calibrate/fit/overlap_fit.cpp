#include "calibrate/fit/overlap_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

#include "calibrate/store/store.hpp"

namespace calibrate::fit {

namespace {

std::string_view kernels_of(const OverlapKey& key) {
  return key.memory_bound ? "memory-bound kernels" : "products";
}

using Points = std::map<double, OverlapFit::Point>;

/// The points on both sides of a size; the same one twice where it was measured or lies beyond.
std::pair<Points::const_iterator, Points::const_iterator> around(const Points& points,
                                                                 double bytes) {
  const auto above = points.lower_bound(bytes);
  if (above == points.end()) return {std::prev(above), std::prev(above)};
  if (above->first == bytes || above == points.begin()) return {above, above};
  return {std::prev(above), above};
}

/// How far `bytes` is on the way from one to the other; 1 where they are the same.
double along(double from, double to, double bytes) {
  return to > from ? (bytes - from) / (to - from) : 1;
}

}  // namespace

std::string describe_kernels(const OverlapKey& key, const std::string& version) {
  return fmt::format("{} beside {}", kernels_of(key), describe(key.collective, version));
}

std::string describe_collective(const OverlapKey& key, const std::string& version) {
  return fmt::format("{} beside {}", describe(key.collective, version), kernels_of(key));
}

OverlapFit::Share OverlapFit::of_kernel(double bytes) const {
  const auto [below, above] = around(points_, bytes);
  // A message of nothing has no logarithm.
  const auto log = [](double size) { return std::log(std::max(1.0, size)); };
  const double slowed = std::lerp(below->second.kernel, above->second.kernel,
                                  along(log(below->first), log(above->first), log(bytes)));
  return {1 - 1 / slowed, bytes == above->first || below != above};
}

OverlapFit::Share OverlapFit::of_collective(double bytes) const {
  const auto [below, above] = around(points_, bytes);
  const double way = along(below->first, above->first, bytes);
  const double alone = std::lerp(below->second.alone, above->second.alone, way);
  const double beside = std::lerp(below->second.beside, above->second.beside, way);
  return {1 - alone / beside, bytes == above->first || below != above};
}

OverlapFits fit_overlaps(std::span<const RunRecords> runs) {
  struct Repeats {
    std::vector<double> kernel;
    std::vector<double> alone;
    std::vector<double> beside;
  };
  struct Measured {
    std::map<double, Repeats> sizes;
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
      Repeats& repeats = of_key.sizes[collective.bytes.as_double()];
      repeats.kernel.push_back(*slower);
      repeats.alone.push_back(collective.times.mean);
      repeats.beside.push_back(record.collective_times.mean);
      of_key.basis.add(run.run, collective.library_version);
    }
  OverlapFits fits;
  for (auto& [key, of_key] : measured) {
    Points points;
    for (auto& [bytes, repeats] : of_key.sizes) {
      // Faster than alone is noise.
      OverlapFit::Point& point = points[bytes];
      point.kernel = std::max(1.0, median(std::move(repeats.kernel)));
      point.alone = median(std::move(repeats.alone));
      point.beside = std::max(point.alone, median(std::move(repeats.beside)));
    }
    fits.emplace(key, FittedOverlap{OverlapFit(std::move(points)), std::move(of_key.basis)});
  }
  return fits;
}

}  // namespace calibrate::fit
