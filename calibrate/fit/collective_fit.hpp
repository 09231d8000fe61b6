#pragma once

#include <compare>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "calibrate/fit/basis.hpp"
#include "calibrate/fit/size_fit.hpp"
#include "calibrate/profile.hpp"
#include "calibrate/records.hpp"

namespace calibrate::fit {

/// What is fitted together: records that differ in size only (and in number format and place, which
/// count as repeats).
struct CollectiveKey {
  std::string device;
  std::string library;
  base::Collective op = base::Collective::all_reduce;
  std::string algorithm;  ///< empty: the library chose
  std::string protocol;
  Placement placement;

  auto operator<=>(const CollectiveKey&) const = default;
};

CollectiveKey key_of(const CollectiveRecord& record);

/// "all_reduce of 8 H100-SXM5-80GB on one node, NCCL 2.28.9 ring ll128".
std::string describe(const CollectiveKey& key, const std::string& version);

/// Latency and bandwidth of one collective on one group, from measurements.
class CollectiveFit {
 public:
  /// \pre measured is not empty, see SizeFit
  CollectiveFit(const std::map<double, std::vector<Sample>>& measured, base::Collective op,
                int ranks);

  const SizeFit& sizes() const { return sizes_; }
  /// Split into latency and wire by the best bandwidth of the measured sizes. Algorithm, source and
  /// the rest are the caller's.
  CollectiveCost cost(base::Bytes bytes, const Estimate& estimate) const;
  /// The highest bus bandwidth of the measured sizes; of a barrier the algorithm bandwidth.
  base::BytesPerSecond best_rate() const { return base::BytesPerSecond::from_byte(best_rate_); }

 private:
  double factor_;
  SizeFit sizes_;
  double best_rate_ = 0;
  double latency_ = 0;
};

struct FittedCollective {
  CollectiveFit fit;
  Basis basis;
};

using CollectiveFits = std::map<CollectiveKey, FittedCollective>;

/// Fits of all keys. Records with wrong data or without a time do not count.
CollectiveFits fit_collectives(std::span<const RunRecords> runs);

}  // namespace calibrate::fit
