#pragma once

#include <algorithm>
#include <memory>

#include "calibrate/backend.hpp"

namespace calibrate::backends {

/// A library that stands on NCCL, priced as NCCL is. What was measured of NCCL does not count for
/// it: an answer is a model's, with the spread of one.
class OverNccl : public CollectiveBackend {
 public:
  explicit OverNccl(std::unique_ptr<CollectiveBackend> nccl) : nccl_(std::move(nccl)) {}

  bool calibrated() const override { return false; }
  bool supports(Collective op) const override { return nccl_->supports(op); }
  bool obeys(Collective op, const GroupShape& shape) const override {
    return nccl_->obeys(op, shape);
  }

  bool chooses_freely() const override { return nccl_->chooses_freely(); }

  CollectiveCost cost(Collective op, base::Bytes bytes, const GroupShape& shape) const override {
    CollectiveCost cost = nccl_->cost(op, bytes, shape);
    cost.total.source = 0;
    cost.total.evidence = Evidence::model;
    if (shape.ranks > 1) cost.total.spread = std::max(cost.total.spread, spread_least);
    return cost;
  }

 protected:
  const CollectiveBackend& nccl() const { return *nccl_; }

 private:
  static constexpr double spread_least = 0.4;  // no published measurement to check it against

  std::unique_ptr<CollectiveBackend> nccl_;
};

}  // namespace calibrate::backends
