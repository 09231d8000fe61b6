#include "calibrate/backends/over_nccl.hpp"
#include "calibrate/backends/registry.hpp"

/// RCCL on AMD GPUs: a fork of NCCL with the same form of tuning; its own tuning tables are not in
/// the model. What differs is the machine: the shape carries the rates of the xGMI mesh, and no
/// switch adds.
namespace calibrate::backends {

namespace {

class Rccl : public OverNccl {
 public:
  using OverNccl::OverNccl;

  std::string_view name() const override { return "rccl"; }
  std::string description() const override {
    return nccl().description() + " as RCCL: no reduction in the switch; uncalibrated";
  }
  bool obeys(Collective op, const GroupShape& shape) const override {
    return OverNccl::obeys(op, without_switch(shape));
  }
  CollectiveCost cost(Collective op, base::Bytes bytes, const GroupShape& shape) const override {
    return OverNccl::cost(op, bytes, without_switch(shape));
  }

 private:
  static GroupShape without_switch(GroupShape shape) {
    shape.in_switch_reduction = false;
    return shape;
  }
};

}  // namespace

Made make_rccl(const BackendOptions& options) {
  Made nccl = make_nccl(options);
  if (!nccl) return nccl;
  return std::make_unique<Rccl>(std::move(*nccl));
}

}  // namespace calibrate::backends
