#include "calibrate/backends/hockney.hpp"
#include "calibrate/backends/registry.hpp"

/// Intel's oneCCL on GPUs, which PyTorch calls XCCL: the closed forms with assumed parameters. No
/// public measurements were at hand; they only make it a slower relative of NCCL.
namespace calibrate::backends {

namespace {

constexpr double efficiency = 0.7;  // share of the usable rates that it gets out of links
constexpr double spread = 0.6;
const base::Seconds submission = base::Seconds::from_us(15);  // of a collective to the queue

class Xccl : public CollectiveBackend {
 public:
  std::string_view name() const override { return "xccl"; }
  std::string description() const override {
    return "oneCCL (XCCL): closed forms, 15 us a call, 70 % of the links; uncalibrated";
  }
  bool calibrated() const override { return false; }
  bool supports(Collective) const override { return true; }
  CollectiveCost cost(Collective op, base::Bytes bytes, const GroupShape& shape) const override {
    if (shape.ranks == 1) return {};
    Links links = links_of(shape);
    for (base::BytesPerSecond* rate : {&links.inside_rate, &links.node_rate, &links.nic_rate})
      *rate = *rate * efficiency;
    Way way = quickest(op, bytes, links);
    way.latency += submission;
    return as_cost(way, op, bytes, shape.ranks, spread);
  }
};

}  // namespace

Made make_xccl(const BackendOptions&) { return std::make_unique<Xccl>(); }

}  // namespace calibrate::backends
