#pragma once

#include <string>
#include <vector>

#include "base/units.hpp"
#include "topology/cluster.hpp"

/// Which nodes are near to each other: the network as a tree of domains, for whoever places jobs.
namespace topology {

/// Nodes that reach each other without leaving a set of switches.
struct NetworkDomain {
  std::string name;         ///< of its highest switch, "leaf-0 to leaf-7" where it has several
  int parent = -1;          ///< -1: the root, which is all of the cluster
  int tier = 0;             ///< of its highest switch: 1 leaf, 2 spine, 3 and more core
  int depth = 0;            ///< of the root 0
  int nodes = 0;            ///< in it and below
  base::BytesPerSecond up;  ///< of all live cables out of it, one direction, usable
};

/// The domains of a cluster. A domain of tier t is what hangs together through switches of tiers up
/// to t: nodes under one leaf, under one set of rail leaves or a pair of ToRs, then a pod, then
/// all. Networks that are no levels above each other have those of their edge switches only (the
/// nodes of a dragonfly's router). Of domains with the same nodes, the one with the narrowest way
/// out stands for all.
struct NetworkTree {
  std::vector<NetworkDomain> domains;  ///< parents before children; [0] is the root
  std::vector<int> home;               ///< by node: its lowest domain
  bool rails = false;                  ///< cables out of a domain belong to rails
};

NetworkTree network_tree(const Cluster& cluster);

/// A partition of the nodes that users name in constraints.
struct Level {
  std::string name;            ///< label key, or "leaf", "spine", "core", "accelerator"
  std::vector<int> domain_of;  ///< by node; -1: in none
  std::vector<std::string> domain_names;
};

/// Levels of a cluster, coarse to fine: those of the node labels where there are such, else the
/// tiers of its switches; last "accelerator", where NVLink joins several nodes.
std::vector<Level> named_levels(const Cluster& cluster);

}  // namespace topology
