#pragma once

#include "base/diagnostic.hpp"
#include "topology/cluster_spec.hpp"
#include "topology/found_cluster.hpp"
#include "topology/hardware.hpp"
#include "topology/k8s_import.hpp"

namespace topology {

/// What can be built of a cluster that was found: its usable GPU nodes, and the network by its
/// cables, else by the domains of its nodes, else one ideal switch. Of the options count `gpu`,
/// `unavailable` and `node_type`.
///
/// What no dump tells comes from the hardware registry: the node type by GPU, number of GPUs and
/// NICs, and all that a type says. What a dump tells wins over the type. Each inference is a note.
base::Result<ClusterSpec> cluster_of(const FoundCluster& found, const HardwareRegistry& registry,
                                     const ImportOptions& options);

}  // namespace topology
