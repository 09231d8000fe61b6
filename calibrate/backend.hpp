#pragma once

#include <string>
#include <string_view>

#include "calibrate/profile.hpp"

namespace calibrate {

/// A communication library as a price list: what NCCL, MPI or a table of measurements says that a
/// collective takes when it has the machine to itself.
class CollectiveBackend {
 public:
  virtual ~CollectiveBackend() = default;
  virtual std::string_view name() const = 0;  ///< as in a scenario: "nccl"
  /// For people, with version and basis: "NCCL 2.28 tuning model".
  virtual std::string description() const = 0;
  /// Whether its prices rest on measurements of such a library; the report says so where not.
  virtual bool calibrated() const = 0;
  virtual bool supports(Collective op) const = 0;
  /// `bytes` as nccl-tests counts them, see base::Collective. A group of one costs nothing, and
  /// more bytes never cost less. The caller sets `total.source`. \pre supports(op)
  virtual CollectiveCost cost(Collective op, base::Bytes bytes, const GroupShape& shape) const = 0;
};

}  // namespace calibrate
