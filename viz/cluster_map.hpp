#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "topology/found_cluster.hpp"

namespace viz {

/// One node of a map.
struct MapCell {
  int colour = 0;     ///< into ClusterMap::legend
  std::string text;   ///< in the cell where there is room; empty: none
  std::string title;  ///< shown when pointed at
};

/// Nodes as cells in the domains of their network, which are frames in each other.
struct ClusterMap {
  struct Colour {
    std::string name;
    std::string fill;  ///< "#rrggbb"
  };
  std::string title;
  std::vector<std::string> levels;                ///< coarse to fine
  std::vector<std::vector<std::string>> domains;  ///< of each node; "leaf-0 +7": it and 7 alike
  std::vector<MapCell> cells;                     ///< of each node
  std::vector<Colour> legend;
};

/// Coloured by whether nodes are free, partly free, taken, or unavailable and why.
ClusterMap map_of_states(const topology::FoundCluster& found);

/// Coloured by the job that has most GPUs of a node; the largest jobs have colours of their own.
ClusterMap map_of_jobs(const topology::FoundCluster& found);

/// Coloured by the groups of a plan: `group_of_node` by node, -1 for nodes without ranks, with the
/// first rank of each node in its cell. `group_names` say what the groups are.
ClusterMap map_of_ranks(const topology::FoundCluster& found, const std::vector<int>& group_of_node,
                        const std::vector<int>& first_rank,
                        const std::vector<std::string>& group_names);

/// Graphviz DOT of a map. Up to some thousand nodes each is a cell; beyond, a domain shows how many
/// of its nodes have each colour.
std::string cluster_map_dot(const ClusterMap& map);

}  // namespace viz
