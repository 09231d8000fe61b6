#pragma once

#include <string>
#include <vector>

#include "topology/cluster.hpp"

/// Many jobs on one cluster over time: who waits, where each is put, and whom it slows.
namespace sim::queue {

/// The switches of a cluster as a tree of domains: nodes that reach each other over switches of
/// some tier and those below. Parallel cables, rails and planes are the sum of their rates.
struct Tree {
  struct Level {
    std::string name;                        ///< "leaf": kind of the topmost switches inside
    std::vector<std::string> domains;        ///< names: "leaf-3", of the first such switch
    std::vector<int> of_node;                ///< domain, by node
    std::vector<double> uplink;              ///< bytes a second out of (and into) each domain
    std::vector<std::vector<int>> children;  ///< domains of the next level
  };
  /// Coarse to fine: the whole cluster first, the nodes last.
  std::vector<Level> levels;

  const Level& nodes() const { return levels.back(); }
};

/// \pre the cluster has a node
Tree tree_of(const topology::Cluster& cluster);

}  // namespace sim::queue
