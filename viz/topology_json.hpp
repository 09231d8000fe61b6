#pragma once

#include <string>
#include <vector>

#include "topology/cluster.hpp"
#include "topology/found_cluster.hpp"

namespace viz {

/// "foreshard.topology.v1", what a viewer needs: the cluster as found ("foreshard.cluster.v1") and,
/// of the network that can be built of it, every link with its rate, state and use. `cluster` may
/// be null, `link_utilisation` (by link, shares of the step) empty.
std::string topology_json(const topology::FoundCluster& found, const topology::Cluster* cluster,
                          const std::vector<double>& link_utilisation);

}  // namespace viz
