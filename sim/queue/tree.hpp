#pragma once

#include <optional>
#include <string>
#include <vector>

#include "topology/cluster.hpp"
#include "topology/network_tree.hpp"

/// Many jobs on one cluster over time: who waits, where each is put, and whom it slows.
namespace sim::queue {

/// topology::NetworkTree level by level. Parallel cables, rails and planes are the sum of their
/// rates, ideally used.
struct Tree {
  struct Level {
    std::string name;                        ///< "leaf", "spine", "core"; "cluster" and "node"
    std::vector<std::string> domains;        ///< names
    std::vector<int> of_node;                ///< domain, by node
    std::vector<double> uplink;              ///< bytes a second out of (and into) each domain
    std::vector<std::vector<int>> children;  ///< domains of the next level
    std::vector<int> network;                ///< of each domain, into `network`; -1: one node
  };
  /// Coarse to fine: the whole cluster first, the nodes last.
  std::vector<Level> levels;
  topology::NetworkTree network;             ///< that the levels were made of
  std::optional<topology::Cluster> cluster;  ///< whose it is

  const Level& nodes() const { return levels.back(); }
};

/// \pre the cluster has a node
Tree tree_of(const topology::Cluster& cluster);

/// GPUs of each node that a scheduler may hand out: those that are free, of nodes that take
/// something new.
std::vector<int> usable_gpus(const topology::Cluster& cluster);

/// Bytes a second out of each node over its live NICs.
std::vector<double> nic_rates(const topology::Cluster& cluster);

}  // namespace sim::queue
