#include "calibrate/backends/registry.hpp"
#include "calibrate/collective_model.hpp"

/// NCCL as collective_model.hpp prices it: one version, which chooses algorithm and protocol.
namespace calibrate::backends {

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
    const bool rooted = op == Collective::gather || op == Collective::scatter;
    if (rooted || op == Collective::barrier) cost.algorithm = CollectiveAlgorithm::direct;
    return cost;
  }
};

}  // namespace

Made make_nccl(const BackendOptions& options) {
  base::Diagnostics problems;
  if (!options.version.text.empty() && options.version.text != "2.28")
    problems.push_back({options.version.where, "only NCCL 2.28 is known", "leave 'version' out"});
  for (const BackendOptions::Word* word : {&options.algorithms, &options.protocols})
    if (!word->text.empty())
      problems.push_back({word->where, "this model of NCCL makes its own choice", "remove it"});
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  return std::make_unique<Nccl>();
}

}  // namespace calibrate::backends
