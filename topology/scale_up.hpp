#pragma once

#include <vector>

#include "topology/cluster_spec.hpp"
#include "topology/graph.hpp"

/// The inside of nodes and of NVLink domains; internal to the module.
namespace topology {

struct ScaleUp {
  std::vector<NodeInfo> nodes;
  std::vector<std::vector<DeviceId>> nics;  ///< of each node, by rail
  int domains = 0;                          ///< sets of GPUs that reach each other without NICs
};

/// Adds GPUs, NICs and what joins them inside the nodes.
ScaleUp build_scale_up(Graph& graph, const ClusterSpec& spec, base::Diagnostics& notes);

}  // namespace topology
