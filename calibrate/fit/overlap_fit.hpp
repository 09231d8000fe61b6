#pragma once

#include <compare>
#include <map>
#include <span>
#include <string>

#include "calibrate/fit/basis.hpp"
#include "calibrate/fit/collective_fit.hpp"
#include "calibrate/records.hpp"

/// How much slower kernels are beside a collective, and a collective beside kernels.
namespace calibrate::fit {

struct OverlapKey {
  CollectiveKey collective;
  bool memory_bound = false;  ///< the kernels; else they compute

  auto operator<=>(const OverlapKey&) const = default;
};

/// "products beside all_reduce of 8 H100-SXM5-80GB on one node, NCCL 2.28.9": what kernels lose.
std::string describe_kernels(const OverlapKey& key, const std::string& version);
/// "all_reduce of 8 H100-SXM5-80GB on one node, NCCL 2.28.9 beside products": what it loses.
std::string describe_collective(const OverlapKey& key, const std::string& version);

class OverlapFit {
 public:
  /// Of one size of the collective.
  struct Point {
    double kernel = 1;  ///< how many times as long a kernel takes; not below 1
    double alone = 0;   ///< seconds of the collective; above 0
    double beside = 0;  ///< and beside kernels; not below `alone`
  };
  /// \pre not empty
  explicit OverlapFit(std::map<double, Point> points) : points_(std::move(points)) {}

  struct Share {
    double taken = 0;    ///< of the speed, [0, 1)
    bool inside = true;  ///< of the measured sizes; else it is that of the nearest one
  };
  /// What the kernel loses. Between two sizes a straight line over the logarithm of the size.
  Share of_kernel(double bytes) const;
  /// What the collective loses. Between two sizes both of its times are straight lines over the
  /// size, as those of a latency and a bandwidth: a small one may take thousands of times as long,
  /// which says little about a larger one, but the time that it takes does.
  Share of_collective(double bytes) const;
  std::size_t sizes() const { return points_.size(); }

 private:
  std::map<double, Point> points_;
};

struct FittedOverlap {
  OverlapFit fit;
  Basis basis;
};

using OverlapFits = std::map<OverlapKey, FittedOverlap>;

/// Fits of all keys; of several measurements of one size the median of each time counts.
OverlapFits fit_overlaps(std::span<const RunRecords> runs);

}  // namespace calibrate::fit
