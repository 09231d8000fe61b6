#pragma once

#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "topology/k8s_inventory.hpp"
#include "topology/k8s_objects.hpp"

namespace topology {

/// The tree of Volcano's HyperNodes.
struct HyperNodeTree {
  std::vector<std::string> levels;  ///< "hypernode tier 2", coarse to fine; empty: there are none
  /// Per node, coarse to fine: empty text for a tier it has no HyperNode of, no path where it has
  /// none at all.
  std::vector<std::vector<std::string>> paths;
};

/// Reads HyperNode objects of topology.volcano.sh. Members are chosen by name, by a regular
/// expression of Go, or by labels. What contradicts goes to `notes`: members that are nowhere, a
/// node or HyperNode below two others of one tier (the first by name counts), and members of the
/// same tier or a higher one, of which cycles are made (they do not count).
base::Result<HyperNodeTree> read_hypernodes(const KubernetesObjects& objects,
                                            const std::vector<GpuNode>& nodes,
                                            base::Diagnostics& notes);

}  // namespace topology
