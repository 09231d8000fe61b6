#include "calibrate/fit/collective_fit.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "calibrate/store/store.hpp"

namespace calibrate::fit {

CollectiveKey key_of(const CollectiveRecord& record) {
  return {record.device,    record.library,  record.op,
          record.algorithm, record.protocol, record.placement};
}

std::string describe(const CollectiveKey& key, const std::string& version) {
  const Placement& where = key.placement;
  std::string text = fmt::format(
      "{} of {} {} on {}", base::name_of(key.op), where.ranks,
      key.device.empty() ? "ranks" : key.device,
      where.nodes == 1 ? std::string("one node") : fmt::format("{} nodes", where.nodes));
  if (where.ranks_per_device > 1)
    text += fmt::format(", {} ranks sharing a device", where.ranks_per_device);
  if (where.stride > 1) text += fmt::format(", every {} ranks", where.stride);
  if (where.groups > 1) text += fmt::format(", {} groups at once", where.groups);
  text += ", " + (key.library.empty() ? std::string("unknown library") : key.library);
  for (const std::string& word : {version, key.algorithm, key.protocol})
    if (!word.empty()) text += " " + word;
  return text;
}

CollectiveFit::CollectiveFit(const std::map<double, std::vector<Sample>>& measured,
                             base::Collective op, int ranks)
    : factor_(base::bus_factor(op, ranks)), sizes_(measured) {
  const std::vector<Point>& points = sizes_.points();
  for (const Point& point : points)
    best_rate_ = std::max(best_rate_, point.bytes * factor_ / point.seconds);
  const Point& first = points.front();
  latency_ = first.seconds - (best_rate_ > 0 ? first.bytes * factor_ / best_rate_ : 0);
}

CollectiveCost CollectiveFit::cost(base::Bytes bytes, const Estimate& estimate) const {
  CollectiveCost cost;
  cost.total = {base::Seconds::from_s(estimate.seconds), estimate.spread, estimate.evidence, 0};
  const double wire = bytes.as_double() * factor_;
  const double wire_time = best_rate_ > 0 ? wire / best_rate_ : 0;
  // Without bytes that move all of it is latency.
  const double latency =
      wire_time > 0 ? std::clamp(latency_, 0.0, std::max(0.0, estimate.seconds - wire_time))
                    : estimate.seconds;
  cost.latency = base::Seconds::from_s(latency);
  cost.bus_rate = base::BytesPerSecond::from_byte(
      wire_time > 0 ? wire / (estimate.seconds - latency) : best_rate_);
  return cost;
}

CollectiveFits fit_collectives(std::span<const RunRecords> runs) {
  struct Measured {
    std::map<double, std::vector<Sample>> sizes;
    Basis basis;
  };
  std::map<CollectiveKey, Measured> measured;
  for (const RunRecords& run : runs)
    for (const CollectiveRecord& record : run.collectives) {
      if (!store::usable(record) || record.bytes.count() < 0) continue;
      Measured& of_key = measured[key_of(record)];
      of_key.sizes[record.bytes.as_double()].push_back(sample_of(record.times));
      of_key.basis.add(run.run, record.library_version);
    }
  CollectiveFits fits;
  for (auto& [key, of_key] : measured)
    fits.emplace(key, FittedCollective{CollectiveFit(of_key.sizes, key.op, key.placement.ranks),
                                       std::move(of_key.basis)});
  return fits;
}

}  // namespace calibrate::fit
