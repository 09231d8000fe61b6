#pragma once

#include <string>
#include <vector>

#include "sim/link_courses.hpp"
#include "topology/cluster.hpp"
#include "topology/found_cluster.hpp"

namespace viz {

/// "foreshard.topology.v1", what a viewer needs of a cluster: nodes with who has them, switches,
/// and as columns of equal length the links between nodes and switches (what is inside a node is
/// told by its type) with their rate and use, both directions. Links are those of `cluster`, or as
/// cabled where nothing could be built and it is null. `link_utilisation` (by link of the cluster,
/// shares of the step, written to a millionth) may be empty. `courses`, where they are known, are
/// the same over time: each link names one of them, or -1.
std::string topology_json(const topology::FoundCluster& found, const topology::Cluster* cluster,
                          const std::vector<double>& link_utilisation,
                          const sim::LinkCourses* courses = nullptr);

}  // namespace viz
