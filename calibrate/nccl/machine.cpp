#include "calibrate/nccl/machine.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>
#include <utility>

#include "base/check.hpp"
#include "calibrate/nccl/channels.hpp"

namespace calibrate::nccl {

namespace {

using topology::NcclMachine;
using topology::ScaleUpKind;

/// AMD's library has NCCL's formulas; Ampere stands for its GPUs, which add in no switch either.
constexpr std::array<std::pair<std::string_view, int>, 7> capabilities{{
    {"volta", 70},
    {"ampere", 80},
    {"ada", 89},
    {"hopper", 90},
    {"blackwell", 100},
    {"cdna2", 80},
    {"cdna3", 80},
}};

/// By the usable rate of its NVLinks: 120, 240, 371 and 722 GB/s on V100, A100, H100 and B200.
int capability_of_rate(double gbyte) {
  if (gbyte > 550) return 100;
  if (gbyte > 300) return 90;
  return gbyte > 180 ? 80 : 70;
}

int capability_of(const GroupShape& shape) {
  if (shape.gpu != nullptr)
    for (const auto& [architecture, capability] : capabilities)
      if (architecture == shape.gpu->architecture) return capability;
  return shape.ranks_per_node > 1 ? capability_of_rate(shape.scale_up_rate.gbyte()) : 90;
}

void set_nics(const GroupShape& shape, int nics, double efficiency, NcclMachine& machine) {
  machine.nics = std::max(shape.nics > 0 ? shape.nics : nics, 1);
  machine.nic_rate_mbit = shape.network_rate.gbit() * 1000 / machine.nics / efficiency;
}

NcclMachine machine_of_node(const GroupShape& shape) {
  const topology::NodeType& node = *shape.node;
  NcclMachine machine;
  machine.compute_capability = capability_of(shape);
  machine.amd_gpu = shape.gpu != nullptr && shape.gpu->vendor == "amd";
  machine.scale_up = node.scale_up;
  machine.scale_up_efficiency = node.scale_up_efficiency;
  machine.scale_up_gbyte = shape.scale_up_rate.gbyte() / node.scale_up_efficiency;
  machine.pcie_gbyte = node.pcie_rate.gbyte();
  machine.host_pcie = node.scale_up == ScaleUpKind::pcie;
  const double near =
      static_cast<double>(node.nics) * shape.ranks_per_node / std::max(node.gpus, 1);
  set_nics(shape, std::clamp(static_cast<int>(std::ceil(near)), 1, std::max(node.nics, 1)),
           node.nic_efficiency, machine);
  return machine;
}

// NCCL counts 12 GB/s for 100 Gbit/s of a NIC, and its own share of an NVLink.
NcclMachine machine_of_rates(const GroupShape& shape) {
  constexpr double nic_efficiency = 0.96;
  constexpr int nics_of_a_node = 8;
  constexpr double pcie_most = 40;  // GB/s; no NVLink is as slow
  NcclMachine machine;
  machine.compute_capability = capability_of(shape);
  const double usable = shape.scale_up_rate.gbyte();
  if (shape.ranks_per_node > 1 && usable < pcie_most) {
    machine.scale_up = ScaleUpKind::pcie;
    machine.host_pcie = true;
    machine.scale_up_gbyte = usable;
  } else {
    machine.scale_up_gbyte = 1;
    machine.scale_up_gbyte = usable / topology::nccl_scale_up_speed(machine);
  }
  set_nics(shape, std::min(shape.ranks_per_node, nics_of_a_node), nic_efficiency, machine);
  machine.pcie_gbyte = machine.nic_rate_mbit / 8000;  // no narrower than the NIC
  return machine;
}

Paths paths_of(const GroupShape& shape, const NcclMachine& machine) {
  constexpr double least = 0.1;  // GB/s: NCCL's own last resort
  Paths paths;
  paths.ranks = shape.ranks;
  paths.nodes = shape.nodes;
  paths.ranks_per_node = shape.ranks_per_node;
  paths.scale_up = machine.scale_up;
  paths.gpu_gbyte = std::max(shape.scale_up_rate.gbyte(), least);
  const bool mesh = machine.scale_up == ScaleUpKind::mesh && shape.ranks_per_node > 1;
  paths.pair_gbyte = mesh ? paths.gpu_gbyte / (shape.ranks_per_node - 1) : paths.gpu_gbyte;
  if (machine.scale_up == ScaleUpKind::nvswitch || machine.scale_up == ScaleUpKind::mesh) {
    const double links = machine.scale_up_gbyte / (machine.compute_capability >= 100 ? 50 : 25);
    paths.link_gbyte = machine.amd_gpu ? paths.pair_gbyte : paths.gpu_gbyte / std::max(links, 1.0);
  }
  paths.node_gbyte = std::max(shape.network_rate.gbyte(), least);
  paths.nic_gbyte = paths.node_gbyte / machine.nics;
  return paths;
}

}  // namespace

Group group_of(const GroupShape& shape) {
  CHECK_INVARIANT(shape.ranks >= 2 && shape.nodes >= 1 && shape.ranks_per_node >= 1);
  Group group;
  group.machine = shape.node != nullptr ? machine_of_node(shape) : machine_of_rates(shape);
  group.machine.gpus_per_node = shape.ranks_per_node;
  group.machine.nodes = shape.nodes;
  group.machine.multicast = shape.in_switch_reduction && group.machine.compute_capability >= 90;
  if (shape.node != nullptr) group.cpu = shape.node->cpu;
  group.paths = paths_of(shape, group.machine);
  return group;
}

Communicator communicator_of(const Group& group, const topology::NcclGraphs& graphs,
                             Version version) {
  const topology::NcclMachine& machine = group.machine;
  Communicator c;
  c.version = version;
  c.ranks = group.paths.ranks;
  c.nodes = machine.nodes;
  c.compute_capability = machine.compute_capability;
  c.cpu = group.cpu;
  c.graphs = graphs;
  c.channels = channels_of(graphs, machine.compute_capability, machine.nodes, c.collnet);
  c.nvls_channels = nvls_channels_of(machine.compute_capability, machine.nodes);
  c.nvswitch = machine.scale_up == ScaleUpKind::nvswitch;
  c.multicast = machine.multicast && graphs.nvls.channels > 0;
  return c;
}

}  // namespace calibrate::nccl
