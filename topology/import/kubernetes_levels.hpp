#pragma once

#include <span>
#include <vector>

#include "base/diagnostic.hpp"
#include "topology/found_cluster.hpp"
#include "topology/k8s_objects.hpp"

namespace topology {

/// What Topology (Kueue, KAI), ClusterTopologyBinding (Grove) and ClusterNetworkTopology
/// (Koordinator) objects declare, coarse to fine, sorted by name. `labels` are those of the nodes:
/// where one level may be any of several keys, the one that most nodes carry stands for it.
base::Result<std::vector<LevelDeclaration>> read_declarations(
    const KubernetesObjects& objects, std::span<const base::Node* const> labels,
    base::Diagnostics& notes);

}  // namespace topology
