#pragma once

#include <string>
#include <string_view>

#include "sim/placement.hpp"

namespace sim::place {

/// Nodes of a job in rank order, as other programs write them: JSON of `place assign`; an Open MPI
/// rankfile ("rank 3=node-1 slot=3"), in any order; else a node a line, once or once for each of
/// its ranks, `#` comments and words behind the name ("slots=8") ignored. Ranks of one node must
/// follow each other.
base::Result<Placement> read_node_list(std::string_view text, const std::string& file,
                                       const topology::Cluster& cluster);

}  // namespace sim::place
