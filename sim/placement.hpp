#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/map_reader.hpp"
#include "topology/cluster.hpp"

namespace sim {

/// Where the ranks of a job sit: ranks_per_node of them on each node, in the order of the nodes.
struct Placement {
  std::vector<int> nodes;  ///< into Cluster::nodes(), each once; empty: all, in their order
  int ranks_per_node = 0;  ///< on the first GPUs of each node; 0: all its usable GPUs
};

/// "foreshard.placement.v1", what `place assign` writes.
extern const char* const placement_schema;

/// Reads `nodes` and `ranks_per_node` of a map; mistakes go to `problems`, which are those of the
/// reader. Calls `finish()`.
Placement read_placement(base::MapReader& reader, const topology::Cluster& cluster,
                         base::Diagnostics& problems);

/// Reads a JSON file in the schema above. What it says beside nodes and ranks is for people.
base::Result<Placement> read_placement_file(std::string_view text, const std::string& file,
                                            const topology::Cluster& cluster);

/// The nodes of these names, in this order. Mistakes for those that are not in the cluster or stand
/// twice.
base::Result<std::vector<int>> find_nodes(const std::vector<base::PlacedText>& names,
                                          const topology::Cluster& cluster);

/// The GPUs that ranks may sit on, rank by rank.
std::vector<topology::GpuId> gpus_of(const Placement& placement, const topology::Cluster& cluster);

}  // namespace sim
