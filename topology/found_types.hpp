#pragma once

#include <cstddef>
#include <vector>

#include "topology/cluster_spec.hpp"
#include "topology/found_cluster.hpp"
#include "topology/k8s_import.hpp"

/// Which nodes of a found cluster can train, and of what type they are; internal to the module.
namespace topology {

struct TypedNode {
  std::size_t index = 0;  ///< into FoundCluster::nodes
  const NodeType* type = nullptr;
  int usable_gpus = 0;
  std::vector<std::size_t> nics;  ///< for computing, into FoundNode::nics; of rail 0, 1, …
};

/// In the order of the dump. Types made of what was found go to `spec.custom_types`, what was
/// inferred or left out to `spec.notes`.
std::vector<TypedNode> type_nodes(const FoundCluster& found, const HardwareRegistry& registry,
                                  const ImportOptions& options, ClusterSpec& spec,
                                  base::Diagnostics& problems);

}  // namespace topology
