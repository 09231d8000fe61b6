#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "topology/cluster.hpp"
#include "topology/network_tree.hpp"

/// How other systems choose nodes, by their own rules, to be compared with. None of them knows what
/// a job sends.
namespace sim::place {

/// Free places by domain, as schedulers see them: levels of names, all equally deep.
struct RoomTree {
  struct Vertex {
    int parent = -1;
    int depth = 0;
    int room = 0;  ///< free places in it
    std::vector<int> children;
    int node = -1;  ///< of a leaf: into Cluster::nodes()
  };
  std::vector<Vertex> vertices;  ///< [0] the root, level by level; equals go by this order
  int depth = 0;                 ///< of the leaves

  /// Leaves, in order.
  std::vector<int> leaves() const;
};

/// A tree of nested lists of room; `rooms` by leaf. `sizes[i]`: children of each vertex of level i,
/// in order.
RoomTree room_tree(const std::vector<std::vector<int>>& sizes, const std::vector<int>& rooms);

/// One place on each free node, below the levels that node labels or switches name. Nodes that lack
/// a level are left out, as they are by Kueue.
RoomTree room_tree(const topology::Cluster& cluster, const std::vector<topology::Level>& levels,
                   const std::vector<int>& free);

/// Places taken of each leaf; nothing where the rule finds none.
using Taken = std::optional<std::vector<int>>;

/// Kueue's Topology Aware Scheduling (KEP-2724).
struct KueueRequest {
  int count = 0;
  int slice = 1;          ///< places that must be in one domain of `slice_level`
  int slice_level = -1;   ///< depth, 1 is the coarsest level; -1: that of the leaves
  int level = 1;          ///< depth at which all should be in one domain
  bool required = false;  ///< only there; else it climbs, and splits at the top
  enum class Algorithm : std::uint8_t { best_fit, least_free, balanced } algorithm{};
};
Taken kueue(const RoomTree& tree, const KueueRequest& request);

/// KAI-Scheduler: the domain of `required` with least room that suffices; below it those with most
/// room first.
Taken kai(const RoomTree& tree, int count, int required);

/// Slurm's topology/tree: the lowest switch that holds the job; in it from the fullest leaf on,
/// then ever the nearest leaf, the tightest that takes the rest before the roomiest.
Taken slurm_tree(const RoomTree& tree, int count);

/// dlcalc's topoassign: leaves of the tree depth first, children with more leaves first.
Taken dlcalc(const RoomTree& tree, int count);

/// Hops of a ring over leaves in this order, 2 for each level up to the common domain: dlcalc's
/// cost.
int ring_hops(const RoomTree& tree, const std::vector<int>& leaves);

/// Leaves of a choice in rank order, each as often as it was taken.
std::vector<int> leaves_of(const RoomTree& tree, const std::vector<int>& taken);

/// A row of the table of rules.
struct Rule {
  std::string_view name;
  Taken (*choose)(const RoomTree& tree, int count);
};
std::span<const Rule> rules();

/// The nodes that a rule gives a job, in rank order.
std::optional<std::vector<int>> nodes_by(const Rule& rule, const RoomTree& tree, int count);

}  // namespace sim::place
