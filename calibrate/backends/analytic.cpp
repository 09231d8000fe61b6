#include "calibrate/backends/hockney.hpp"
#include "calibrate/backends/registry.hpp"

/// The closed forms of hockney.hpp on the links as the cluster states them, the quickest each time:
/// what a library without overhead of its own would reach.
namespace calibrate::backends {

namespace {

constexpr double spread = 0.5;  // no library is this good; small messages are off by more

class Analytic : public CollectiveBackend {
 public:
  std::string_view name() const override { return "analytic"; }
  std::string description() const override {
    return "closed forms of latency and rate (Thakur et al. 2005); uncalibrated";
  }
  bool calibrated() const override { return false; }
  bool supports(Collective) const override { return true; }
  CollectiveCost cost(Collective op, base::Bytes bytes, const GroupShape& shape) const override {
    if (shape.ranks == 1) return {};
    return as_cost(quickest(op, bytes, links_of(shape)), op, bytes, shape.ranks, spread);
  }
};

}  // namespace

Made make_analytic(const BackendOptions&) { return std::make_unique<Analytic>(); }

}  // namespace calibrate::backends
