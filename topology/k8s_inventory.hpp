#pragma once

#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "topology/hardware.hpp"
#include "topology/k8s_nodes.hpp"

/// Which GPUs a Kubernetes node has: from instance type, the labels of GPU feature discovery, and
/// what the scheduler may hand out.
namespace topology {

/// A node with whole GPUs that the scheduler can hand out.
struct GpuNode {
  const KubernetesNode* node = nullptr;
  const NodeType* type = nullptr;
  const GpuSpec* gpu = nullptr;
  int usable_gpus = 0;
};

struct InventoryOptions {
  const GpuSpec* gpu = nullptr;  ///< leave out nodes with any other
  bool unavailable = false;      ///< keep cordoned and not-ready nodes
};

struct Inventory {
  std::vector<GpuNode> nodes;  ///< in the order given
  int cpu_nodes = 0;
};

/// Sorts out the nodes. Each kind of surprise becomes one note with the number of nodes; GPUs that
/// the registry does not know are mistakes, one for each spelling, unless
/// the options leave such nodes out anyway.
base::Result<Inventory> take_inventory(const std::vector<KubernetesNode>& nodes,
                                       const HardwareRegistry& registry,
                                       const InventoryOptions& options, base::Diagnostics& notes);

}  // namespace topology
