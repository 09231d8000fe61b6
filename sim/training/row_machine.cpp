#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "sim/collective_sweep.hpp"
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
  const CollectiveCall call{base::Collective::all_reduce, base::Bytes::from_gib(1)};
  const base::Seconds time = play_collectives(prices_of(backend), cluster, {&call, 1}).front().time;
  return call.bytes / time * calibrate::bus_factor(call.op, cluster.gpu_count());
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
      BytesPerSecond::from_gbit(row.nic_gbit.value_or(beyond_any_gbit)), row.note);
  if (type == nullptr)
    return tl::unexpected(fmt::format("no node type with {} x '{}'", per_node, row.gpu));
  machine.node = *type;
  machine.node.gpus = per_node;
  // Jobs take as many trays of each rack.
  const int racks = static_cast<int>(
      base::ceil_div(machine.nodes, std::int64_t{machine.node.scale_up_domain_nodes}));
  if (machine.nodes % racks == 0) machine.node.scale_up_domain_nodes = machine.nodes / racks;
  if (row.nic_gbit) {
    set_nics(machine.node, BytesPerSecond::from_gbit(*row.nic_gbit));
  } else if (machine.nodes > 1) {
    if (!(type->nics > 0)) return tl::unexpected(std::string("no network between nodes"));
    inferred.push_back(fmt::format("network of {}", type->name));
  }
  return machine;
}

double nic_efficiency_for(BytesPerSecond bus, const Machine& machine,
                          const calibrate::CollectiveBackend& backend,
                          const std::shared_ptr<const topology::HardwareRegistry>& registry) {
  Machine tried = machine;
  double& share = tried.node.nic_efficiency;
  // A ring sends bus bandwidth through the NICs of every node; other algorithms less or more.
  share = std::clamp(bus / (tried.node.nic_rate * tried.node.nics), 1e-3, 1.0);
  // Latency bends the line a little; a few steps are enough.
  constexpr int steps = 3;
  for (int step = 0; step < steps; ++step) {
    const double ratio = bus / bus_bandwidth(tried, backend, registry);
    if (std::abs(ratio - 1) < 1e-3) break;
    share = std::clamp(share * ratio, 1e-3, 1.0);
  }
  return share;
}

}  // namespace sim::training
