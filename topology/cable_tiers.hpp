#pragma once

#include <vector>

#include "topology/found_cluster.hpp"

namespace topology {

/// The tier of each switch: as found, or where that is 0 its distance in cables from the nearest
/// node. 0: no cable leads from it to a node.
std::vector<int> cable_tiers(const FoundCluster& cluster);

}  // namespace topology
