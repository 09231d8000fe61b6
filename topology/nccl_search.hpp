#pragma once

#include "topology/hardware.hpp"
#include "topology/nccl_graph.hpp"

namespace topology {

/// What NCCL's graph search looks at: the part of each node that one communicator uses.
struct NcclMachine {
  int compute_capability = 90;  ///< lowest of the GPUs: 70, 80, 90, 100
  int gpus_per_node = 8;        ///< members in a node
  int nodes = 1;
  int nics = 8;              ///< of a node, those near the members
  double nic_rate_mbit = 0;  ///< of one NIC, raw
  ScaleUpKind scale_up = ScaleUpKind::nvswitch;
  double scale_up_gbyte = 0;  ///< GB/s raw, one direction, of a GPU that talks to members only
  /// Share of it that is used where NCCL has no figure for a link: xGMI and PCIe.
  double scale_up_efficiency = 1;
  double pcie_gbyte = 0;   ///< GB/s between a GPU and its NIC, usable
  bool host_pcie = false;  ///< GPUs and NICs meet only in the host
  bool amd_gpu = false;
  bool multicast = false;  ///< the NVSwitch can add (NVLS)

  bool operator==(const NcclMachine&) const = default;
};

/// GB/s in one direction that NCCL counts for all links of a GPU to other members (NCCL 2.28,
/// src/graph/topo.h: 20 a link on sm70 and sm80, 20.6 on sm90, 40.1 on sm100).
double nccl_scale_up_speed(const NcclMachine& machine);

/// The graphs that NCCL would find: those of a machine that is known from its logs, else by
/// `nccl_graphs_by_rule`. \pre gpus_per_node * nodes >= 2; nics >= 1 when nodes > 1
NcclGraphs nccl_graphs(const NcclMachine& machine);

/// The ladder of speeds that NCCL's search goes down (src/graph/search.cc), over sums of link
/// rates instead of links: channels x speed as large as the links of a GPU and the NICs allow.
NcclGraphs nccl_graphs_by_rule(const NcclMachine& machine);

}  // namespace topology
