#pragma once

#include <compare>
#include <map>
#include <span>
#include <string>

#include "calibrate/fit/basis.hpp"
#include "calibrate/fit/collective_fit.hpp"
#include "calibrate/records.hpp"

/// How much slower kernels are beside a collective.
namespace calibrate::fit {

struct OverlapKey {
  CollectiveKey collective;
  bool memory_bound = false;  ///< the kernels; else they compute

  auto operator<=>(const OverlapKey&) const = default;
};

/// "products beside all_reduce of 8 H100-SXM5-80GB on one node, NCCL 2.28.9".
std::string describe(const OverlapKey& key, const std::string& version);

class OverlapFit {
 public:
  /// How many times as long a kernel takes, by the size of the collective; not below 1.
  /// \pre not empty
  explicit OverlapFit(std::map<double, double> slowed) : slowed_(std::move(slowed)) {}

  struct Share {
    double taken = 0;    ///< of the speed of the kernel, [0, 1)
    bool inside = true;  ///< of the measured sizes; else it is that of the nearest one
  };
  /// Between two sizes a straight line over the logarithm of the size.
  Share at(double bytes) const;
  std::size_t sizes() const { return slowed_.size(); }

 private:
  std::map<double, double> slowed_;
};

struct FittedOverlap {
  OverlapFit fit;
  Basis basis;
};

using OverlapFits = std::map<OverlapKey, FittedOverlap>;

/// Fits of all keys; of several measurements of one size their median counts.
OverlapFits fit_overlaps(std::span<const RunRecords> runs);

}  // namespace calibrate::fit
