#include <algorithm>

#include "calibrate/backends/over_nccl.hpp"
#include "calibrate/backends/registry.hpp"

/// NCCLX: NCCL with CTran, whose ring gathers in both directions at once up to 4 MB, in about half
/// the steps. Where its settings say "orig", which is the default of all others, NCCL does the
/// work.
namespace calibrate::backends {

namespace {

using base::Seconds;

const base::Bytes both_ways_max = base::Bytes::from_mib(4);

class Ncclx : public OverNccl {
 public:
  using OverNccl::OverNccl;

  std::string_view name() const override { return "ncclx"; }
  std::string description() const override {
    return nccl().description() +
           " as NCCLX: CTran's ring gathers both ways up to 4 MB, else the same; uncalibrated";
  }
  CollectiveCost cost(Collective op, base::Bytes bytes, const GroupShape& shape) const override {
    CollectiveCost cost = OverNccl::cost(op, bytes, shape);
    if (shape.ranks == 1 || op != Collective::all_gather || bytes > both_ways_max) return cost;
    // The steps that are saved take the same time whatever the size, so that more bytes never cost
    // less where NCCL goes over to another protocol.
    const Seconds saved = 0.5 * OverNccl::cost(op, base::Bytes(), shape).latency;
    const Seconds latency = std::max(Seconds(), cost.latency - saved);
    cost.total.time -= cost.latency - latency;
    cost.latency = latency;
    cost.algorithm = CollectiveAlgorithm::ring;
    return cost;
  }
};

}  // namespace

Made make_ncclx(const BackendOptions& options) {
  Made nccl = make_nccl(options);
  if (!nccl) return nccl;
  return std::make_unique<Ncclx>(std::move(*nccl));
}

}  // namespace calibrate::backends
