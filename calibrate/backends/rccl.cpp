#include <algorithm>

#include "calibrate/backends/registry.hpp"

/// RCCL on AMD GPUs: a fork of NCCL with the same form of tuning. What differs is the machine: the
/// shape carries the rates of the xGMI mesh, and no switch adds.
namespace calibrate::backends {

namespace {

constexpr double spread_least = 0.4;  // its own tuning tables are not in the model

class Rccl : public CollectiveBackend {
 public:
  explicit Rccl(std::unique_ptr<CollectiveBackend> nccl) : nccl_(std::move(nccl)) {}

  std::string_view name() const override { return "rccl"; }
  std::string description() const override {
    return nccl_->description() + " as RCCL: no reduction in the switch; uncalibrated";
  }
  bool calibrated() const override { return false; }
  bool supports(Collective op) const override { return nccl_->supports(op); }
  bool obeys(Collective op, const GroupShape& shape) const override {
    return nccl_->obeys(op, without_switch(shape));
  }

  CollectiveCost cost(Collective op, base::Bytes bytes, const GroupShape& shape) const override {
    CollectiveCost cost = nccl_->cost(op, bytes, without_switch(shape));
    cost.total.source = 0;
    cost.total.evidence = Evidence::model;
    if (shape.ranks > 1) cost.total.spread = std::max(cost.total.spread, spread_least);
    return cost;
  }

 private:
  static GroupShape without_switch(GroupShape shape) {
    shape.in_switch_reduction = false;
    return shape;
  }

  std::unique_ptr<CollectiveBackend> nccl_;
};

}  // namespace

Made make_rccl(const BackendOptions& options) {
  Made nccl = make_nccl(options);
  if (!nccl) return nccl;
  return std::make_unique<Rccl>(std::move(*nccl));
}

}  // namespace calibrate::backends
