#pragma once

#include <string>
#include <vector>

#include "topology/found_cluster.hpp"

namespace topology {

/// Which switches each node is below, coarse to fine.
struct DomainPaths {
  std::vector<std::string> levels;                ///< label keys, or "tier 2", "tier 1"
  std::vector<std::vector<std::string>> of_node;  ///< as FoundNode::domains
  /// Switches that reach the same nodes and are one domain: names in natural order, the first is
  /// the domain's.
  std::vector<std::vector<std::string>> merged;
};

/// The domains of the nodes where they have any, else what the cables of the compute network tell,
/// see domains_of.
DomainPaths domain_paths(const FoundCluster& found);

}  // namespace topology
