#pragma once

#include <vector>

#include "base/diagnostic.hpp"
#include "topology/found_cluster.hpp"
#include "topology/k8s_import.hpp"
#include "topology/k8s_inventory.hpp"
#include "topology/k8s_objects.hpp"
#include "topology/label_schemes.hpp"

namespace topology {

struct FoundDomains {
  DomainTree tree;
  std::vector<LevelDeclaration> declared;
};

/// The switch tree above the nodes: from the labels that the options name, else as an object of
/// the cluster declares (the one that knows most nodes completely, the first by name of equals),
/// else from the best label scheme. The notes say which and why. \pre the options are checked
base::Result<FoundDomains> find_domains(const KubernetesObjects& objects,
                                        const std::vector<GpuNode>& nodes,
                                        const ImportOptions& options, const base::SourceRef& file,
                                        base::Diagnostics& notes);

}  // namespace topology
