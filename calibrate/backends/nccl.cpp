#include "calibrate/backends/nccl.hpp"

#include "calibrate/backends/hockney.hpp"
#include "calibrate/collective_model.hpp"

namespace calibrate {

namespace {

class Nccl : public CollectiveBackend {
 public:
  std::string_view name() const override { return "nccl"; }
  std::string description() const override {
    return "collective model (NCCL 2.28 tuning constants)";
  }
  bool calibrated() const override { return true; }
  bool supports(Collective) const override { return true; }
  CollectiveCost cost(Collective op, base::Bytes bytes, const GroupShape& shape) const override {
    CollectiveCost cost = collective_cost(op, bytes, shape);
    cost.algorithm = backends::plain_algorithm(op);
    return cost;
  }
};

}  // namespace

base::Result<std::unique_ptr<CollectiveBackend>> make_nccl_backend(const NcclOptions& options) {
  base::Diagnostics problems;
  if (options.version != "2.28")
    problems.push_back({{"NCCL"}, "only NCCL 2.28 is known", "leave 'version' out"});
  if (!options.algorithms.empty())
    problems.push_back({{"NCCL_ALGO"}, "NCCL's own choice cannot be changed", "remove it"});
  if (!options.protocols.empty())
    problems.push_back({{"NCCL_PROTO"}, "NCCL's own choice cannot be changed", "remove it"});
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  return std::make_unique<Nccl>();
}

}  // namespace calibrate
