#pragma once

#include <vector>

#include "base/diagnostic.hpp"
#include "topology/found_cluster.hpp"
#include "topology/k8s_inventory.hpp"
#include "topology/k8s_objects.hpp"

namespace topology {

/// GPUs that the scheduler counts for a pod: the larger of what its containers ask for together and
/// what any init container asks for beside the sidecars that run then, and its overhead. Claims of
/// devices (DRA) are not in it.
int requested_gpus(const base::Node* spec);

/// Fills the occupants of the nodes and their free GPUs from the Pod and ResourceClaim objects.
/// Pods that have ended or are bound to no node take nothing. Without any list of pods the free
/// GPUs stay unknown. \pre `found[i]` is `nodes[i]`.
void place_pods(const KubernetesObjects& objects, const std::vector<GpuNode>& nodes,
                std::vector<FoundNode>& found, base::Diagnostics& notes);

}  // namespace topology
