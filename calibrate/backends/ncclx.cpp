#include <algorithm>

#include "calibrate/backends/registry.hpp"

/// NCCLX: NCCL with CTran, whose ring gathers in both directions at once up to 4 MB, in about half
/// the steps. Where its settings say "orig", which is the default of all others, NCCL does the
/// work.
namespace calibrate::backends {

namespace {

using base::Seconds;

constexpr double spread_least = 0.4;  // nobody published measurements of it
const base::Bytes both_ways_max = base::Bytes::from_mib(4);

class Ncclx : public CollectiveBackend {
 public:
  explicit Ncclx(std::unique_ptr<CollectiveBackend> nccl) : nccl_(std::move(nccl)) {}

  std::string_view name() const override { return "ncclx"; }
  std::string description() const override {
    return nccl_->description() +
           " as NCCLX: CTran's ring gathers both ways up to 4 MB, else the same; uncalibrated";
  }
  bool calibrated() const override { return false; }
  bool supports(Collective op) const override { return nccl_->supports(op); }
  bool obeys(Collective op, const GroupShape& shape) const override {
    return nccl_->obeys(op, shape);
  }

  CollectiveCost cost(Collective op, base::Bytes bytes, const GroupShape& shape) const override {
    CollectiveCost cost = nccl_->cost(op, bytes, shape);
    cost.total.source = 0;
    cost.total.evidence = Evidence::model;
    if (shape.ranks == 1) return cost;
    cost.total.spread = std::max(cost.total.spread, spread_least);
    if (op != Collective::all_gather || bytes > both_ways_max) return cost;
    // The steps that are saved take the same time whatever the size, so that more bytes never cost
    // less where NCCL goes over to another protocol.
    const Seconds saved = 0.5 * nccl_->cost(op, base::Bytes(), shape).latency;
    const Seconds latency = std::max(Seconds(), cost.latency - saved);
    cost.total.time -= cost.latency - latency;
    cost.latency = latency;
    cost.algorithm = CollectiveAlgorithm::ring;
    return cost;
  }

 private:
  std::unique_ptr<CollectiveBackend> nccl_;
};

}  // namespace

Made make_ncclx(const BackendOptions& options) {
  Made nccl = make_nccl(options);
  if (!nccl) return nccl;
  return std::make_unique<Ncclx>(std::move(*nccl));
}

}  // namespace calibrate::backends
