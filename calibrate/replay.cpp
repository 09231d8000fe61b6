#include "calibrate/replay.hpp"

namespace calibrate {

namespace {

/// What moves every byte as evenly as the bus bandwidth of the operation supposes.
CollectiveAlgorithm even_algorithm(Collective op, const GroupShape& shape) {
  // Of n members each sends 1 + 1/n of the buffer to switches that reduce, 2 (n-1)/n round a ring.
  if (op == Collective::all_reduce && shape.in_switch_reduction && shape.ranks > 3)
    return shape.nodes == 1 ? CollectiveAlgorithm::nvls : CollectiveAlgorithm::nvls_tree;
  switch (op) {
    case Collective::all_to_all:
    case Collective::send_receive:
    case Collective::gather:
    case Collective::scatter: return CollectiveAlgorithm::direct;
    case Collective::barrier: return CollectiveAlgorithm::recursive_doubling;
    default: return CollectiveAlgorithm::ring;
  }
}

/// Every rank with a link and a NIC of the highest bandwidth that was measured.
topology::NodeType made_up(const Placement& placement, base::BytesPerSecond rate,
                           const topology::HardwareRegistry& registry) {
  if (!(rate.byte() > 0)) rate = base::BytesPerSecond::from_gbyte(1);  // nothing moves in a barrier
  topology::NodeType node;
  node.name = "made-up links";
  node.gpu = registry.gpus().front().name;  // nothing is computed
  node.gpus = placement.ranks_per_node;
  node.scale_up =
      placement.ranks_per_node > 1 ? topology::ScaleUpKind::nvswitch : topology::ScaleUpKind::none;
  node.scale_up_rate = rate;
  node.pcie_rate = rate;
  node.nics = placement.ranks_per_node;
  node.nic_rate = rate;
  return node;
}

}  // namespace

CollectiveCost replay_cost(const fit::CollectiveFit& fit, Collective op, base::Bytes bytes,
                           const GroupShape& shape) {
  CollectiveCost cost = fit.cost(bytes, fit.sizes().at(bytes.as_double()));
  cost.algorithm = even_algorithm(op, shape);
  return cost;
}

std::optional<ReplayMachine> machine_of(const fit::CollectiveKey& key,
                                        const fit::CollectiveFit& fit,
                                        const topology::HardwareRegistry& registry) {
  const Placement& where = key.placement;
  if (where.ranks < 2 || where.groups != 1 || where.ranks != where.nodes * where.ranks_per_node)
    return std::nullopt;
  const topology::GpuSpec* gpu = registry.find_gpu(key.device);
  const topology::NodeType* known =
      gpu == nullptr || where.ranks_per_device > 1
          ? nullptr
          : topology::nearest_node_type(registry, gpu->name, where.ranks_per_node, std::nullopt);
  if (known != nullptr && (where.nodes == 1 || known->nics > 0)) return ReplayMachine{*known};
  return ReplayMachine{made_up(where, fit.best_rate(), registry), true};
}

}  // namespace calibrate
