#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "sim/groups.hpp"
#include "sim/training/setting.hpp"
#include "topology/cluster.hpp"

namespace sim::training {

namespace {

using base::BytesPerSecond;

/// As many of the type's NICs as together have this rate, or all of them at another rate.
void set_nics(topology::NodeType& node, BytesPerSecond together) {
  const double count = node.nic_rate.byte() > 0 ? together.byte() / node.nic_rate.byte() : 0;
  if (count >= 1 && count <= node.nics && count == std::floor(count)) {
    node.nics = static_cast<int>(count);
    return;
  }
  node.nics = std::max(node.nics, 1);
  node.nic_rate = together / node.nics;
}

BytesPerSecond bus_bandwidth(const Machine& machine, const calibrate::CollectiveBackend& backend,
                             const std::shared_ptr<const topology::HardwareRegistry>& registry) {
  const topology::Cluster cluster =
      topology::uniform_cluster(machine.node, machine.nodes, machine.gpus_per_node, registry);
  std::vector<topology::GpuId> all(static_cast<std::size_t>(cluster.gpu_count()));
  std::iota(all.begin(), all.end(), topology::GpuId{0});
  const base::Bytes bytes = base::Bytes::from_gib(1);
  const base::Seconds time =
      backend.cost(base::Collective::all_reduce, bytes, shape_of(all, cluster)).total.time;
  return bytes / time * calibrate::bus_factor(base::Collective::all_reduce, cluster.gpu_count());
}

}  // namespace

Expressed<Machine> machine_of(const Row& row, const topology::HardwareRegistry& registry,
                              std::vector<std::string>& inferred) {
  if (!row.gpus || *row.gpus < 1 || *row.gpus > topology::cluster_gpus_max)
    return tl::unexpected(std::string("n_gpus missing or out of range"));
  const int per_node = row.gpus_per_node.value_or(0);
  if (per_node < 1 || per_node > topology::cluster_gpus_max)
    return tl::unexpected(std::string("gpus_per_node missing or out of range"));
  if (*row.gpus > per_node && *row.gpus % per_node != 0)
    return tl::unexpected(std::string("nodes are not full"));
  Machine machine;
  machine.gpus_per_node = std::min(*row.gpus, per_node);
  machine.nodes = *row.gpus / machine.gpus_per_node;
  // Where nothing is said of the network, the fastest is the nearest.
  constexpr double beyond_any_gbit = 1e9;
  const topology::NodeType* const type = topology::nearest_node_type(
      registry, row.gpu, per_node,
      BytesPerSecond::from_gbit(row.nic_gbit.value_or(beyond_any_gbit)));
  if (type == nullptr)
    return tl::unexpected(fmt::format("no node type with {} x '{}'", per_node, row.gpu));
  machine.node = *type;
  machine.node.gpus = per_node;
  if (row.nic_gbit) {
    set_nics(machine.node, BytesPerSecond::from_gbit(*row.nic_gbit));
  } else if (machine.nodes > 1) {
    if (!(type->nics > 0)) return tl::unexpected(std::string("no network between nodes"));
    inferred.push_back(fmt::format("network of {}", type->name));
  }
  return machine;
}

void set_bus_bandwidth(Machine& machine, BytesPerSecond bus,
                       const calibrate::CollectiveBackend& backend,
                       const std::shared_ptr<const topology::HardwareRegistry>& registry) {
  if (machine.nodes * machine.gpus_per_node < 2) return;
  double& share =
      machine.nodes > 1 ? machine.node.nic_efficiency : machine.node.scale_up_efficiency;
  // Latency and choice of algorithm bend the line a little; a few steps are enough.
  for (int step = 0; step < 8; ++step) {
    const double ratio = bus.byte() / bus_bandwidth(machine, backend, registry).byte();
    if (std::abs(ratio - 1) < 1e-3) return;
    share = std::clamp(share * ratio, 1e-3, 1.0);
  }
}

}  // namespace sim::training
