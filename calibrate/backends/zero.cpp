#include "calibrate/backends/hockney.hpp"
#include "calibrate/backends/registry.hpp"

/// Communication that takes nothing: what a step would be with a perfect network.
namespace calibrate::backends {

namespace {

class Zero : public CollectiveBackend {
 public:
  std::string_view name() const override { return "zero"; }
  std::string description() const override { return "no communication time (backend zero)"; }
  bool calibrated() const override { return false; }
  bool supports(Collective) const override { return true; }
  CollectiveCost cost(Collective op, base::Bytes, const GroupShape&) const override {
    CollectiveCost cost;
    cost.algorithm = plain_algorithm(op);
    return cost;
  }
};

}  // namespace

Made make_zero(const BackendOptions&) { return std::make_unique<Zero>(); }

}  // namespace calibrate::backends
