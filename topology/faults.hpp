#pragma once

#include "base/diagnostic.hpp"
#include "topology/cluster_spec.hpp"
#include "topology/graph.hpp"

/// Cables that are down or slow; internal to the module.
namespace topology {

/// Marks the links that `spec.faults` name, and notes them. A name that fits nothing is a mistake.
void apply_faults(Graph& graph, const ClusterSpec& spec, base::Diagnostics& problems,
                  base::Diagnostics& notes);

/// Whether all GPUs still reach each other with the faults of `spec`, a mistake at the first of
/// them where not, or by its cabling; notes GPUs that have to use a NIC of another.
void check_reach(const Cluster& cluster, const ClusterSpec& spec, base::Diagnostics& problems,
                 base::Diagnostics& notes);

}  // namespace topology
