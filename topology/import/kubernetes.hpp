#pragma once

#include "topology/import/format.hpp"

namespace topology {

/// Objects of Kubernetes, as kubectl or the API server write them: nodes, and what there is of
/// pods, scheduling objects (Kueue, KAI, Grove, Koordinator, Volcano), device slices and states of
/// SR-IOV NICs. Nodes on which nothing new runs are kept and marked; those without GPUs are counted
/// and left out.
base::Result<FoundCluster> read_kubernetes_cluster(std::span<const DumpFile> files,
                                                   const ImportContext& context);

}  // namespace topology
