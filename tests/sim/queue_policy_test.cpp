// Where schedulers put jobs, against published vectors and by hand.

#include <map>

#include "sim/queue/tree.hpp"
#include "tests/sim/contention_support.hpp"
#include "tests/sim/queue_support.hpp"

namespace sim::queue {
namespace {

using Counts = std::vector<int>;

/// Nodes taken under each leaf.
Counts per_leaf(const Tree& tree, const std::vector<int>& nodes) {
  Counts counts(tree.levels[1].domains.size(), 0);
  for (const int node : nodes)
    ++counts[static_cast<std::size_t>(tree.levels[1].of_node[static_cast<std::size_t>(node)])];
  return counts;
}

Counts placed(const char* policy, const std::vector<int>& leaf_sizes, int nodes) {
  const Tree tree = leaves(leaf_sizes);
  const Occupancy occupancy(tree, std::vector<int>(tree.nodes().domains.size(), 8));
  return per_leaf(tree, nodes_placed(policy, occupancy, {nodes, 8}));
}

TEST_CASE("a cluster becomes a tree of what its switches join") {
  const topology::Cluster flat = built(
      "nodes: {type: dgx-h100, count: 8}\n"
      "fabric: {kind: fat_tree, nodes_per_leaf: 2, oversubscription: 2}\n");
  const Tree tree = tree_of(flat);
  REQUIRE(tree.levels.size() == 3);
  CHECK(tree.levels[1].name == "leaf");
  CHECK(tree.levels[1].domains == std::vector<std::string>{"leaf-0", "leaf-1", "leaf-2", "leaf-3"});
  CHECK(tree.levels[1].of_node == Counts{0, 0, 1, 1, 2, 2, 3, 3});
  CHECK(tree.levels[0].children == std::vector<Counts>{{0, 1, 2, 3}});
  CHECK(tree.levels[1].children[2] == Counts{4, 5});
  // Sixteen NICs of 48 GB/s under a leaf, half of that above it.
  CHECK(tree.levels[1].uplink[0] == Approx(8 * 48e9));
  CHECK(tree.nodes().uplink[0] == Approx(8 * 48e9));

  // The eight leaves of a rail-optimised unit are one domain, for its nodes are under all of them.
  const topology::Cluster rails = built(
      "nodes: {type: dgx-h100, count: 8}\n"
      "fabric: {kind: rail_optimized, nodes_per_leaf: 4}\n");
  const Tree units = tree_of(rails);
  REQUIRE(units.levels.size() == 3);
  CHECK(units.levels[1].of_node == Counts{0, 0, 0, 0, 1, 1, 1, 1});
  CHECK(units.levels[1].uplink[0] == Approx(4 * 8 * 48e9));

  const topology::Cluster one =
      built("nodes: {type: dgx-h100, count: 4}\nfabric: {kind: single_switch}\n");
  CHECK(tree_of(one).levels.size() == 2);  // nothing between the cluster and its nodes
}

TEST_CASE("pods are a level above their leaves") {
  const topology::Cluster pods = built(
      "nodes: {type: dgx-h100, count: 8}\n"
      "fabric: {kind: fat_tree, nodes_per_leaf: 2, leaves_per_pod: 2, core_oversubscription: 4}\n");
  const Tree tree = tree_of(pods);
  REQUIRE(tree.levels.size() == 4);
  CHECK(tree.levels[1].name == "spine");
  CHECK(tree.levels[1].of_node == Counts{0, 0, 0, 0, 1, 1, 1, 1});
  CHECK(tree.levels[1].uplink[0] == Approx(tree.levels[2].uplink[0] * 2 / 4));
}

TEST_CASE("kueue's rule keeps to the vectors of KEP-2724, and best-fit uses up crumbs") {
  // Capacities 3, 3, 2, 1 and 7 pods: BestFit 3, 3, -, 1; LeastFreeCapacity 1, 2, 3 and one more.
  CHECK(placed("kueue", {3, 3, 2, 1}, 7) == Counts{3, 3, 0, 1});
  CHECK(placed("best-fit", {3, 3, 2, 1}, 7) == Counts{3, 1, 2, 1});
  // The last part goes where it fits best, also past equals.
  CHECK(placed("kueue", {4, 3, 3, 2}, 6) == Counts{4, 0, 0, 2});
  CHECK(placed("first-fit", {3, 3, 2, 1}, 7) == Counts{3, 3, 1, 0});
}

TEST_CASE("a job that fits under one leaf goes under the leaf that it fills best") {
  for (const char* policy : {"best-fit", "kueue", "slurm-tree"}) {
    INFO(policy);
    CHECK(placed(policy, {4, 2, 3}, 3) == Counts{0, 0, 3});
    CHECK(placed(policy, {4, 2, 3}, 4) == Counts{4, 0, 0});
  }
  CHECK(placed("first-fit", {4, 2, 3}, 3) == Counts{3, 0, 0});
}

TEST_CASE("slurm begins under the leaf with most nodes, and ends where the rest fits best") {
  CHECK(placed("slurm-tree", {3, 5, 4, 2}, 7) == Counts{0, 5, 0, 2});
  CHECK(placed("slurm-tree", {3, 5, 4, 2}, 8) == Counts{3, 5, 0, 0});
}

TEST_CASE("small jobs go where they leave whole nodes whole, and too large ones nowhere") {
  const Tree tree = leaves({2, 2});
  Occupancy occupancy(tree, {8, 8, 8, 4});
  const std::vector<int> first{0};
  occupancy.take(first, 5);
  for (const char* policy : {"best-fit", "kueue", "slurm-tree"}) {
    INFO(policy);
    CHECK(nodes_placed(policy, occupancy, {1, 3}) == Counts{0});
    CHECK(nodes_placed(policy, occupancy, {1, 4}) == Counts{3});
    CHECK(nodes_placed(policy, occupancy, {2, 8}) == Counts{1, 2});
  }
  for (const Policy& policy : policies()) {
    INFO(policy.name);
    CHECK(nodes_placed(policy.name.data(), occupancy, {3, 8}).empty());
    CHECK(nodes_placed(policy.name.data(), occupancy, {4, 3}).size() == 4);
  }
  CHECK(find_policy("fair") == nullptr);
}

}  // namespace
}  // namespace sim::queue
