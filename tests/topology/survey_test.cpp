#include "topology/survey.hpp"

#include <string>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"
#include "topology/difference.hpp"
#include "topology/found_of.hpp"

namespace topology {

namespace {

/// Racks of 4 nodes with 8 GPUs; `free` says which nodes nobody uses.
FoundCluster racks(const std::vector<std::vector<bool>>& free) {
  FoundCluster found;
  found.levels = {"rack"};
  for (std::size_t rack = 0; rack < free.size(); ++rack)
    for (const bool is_free : free[rack]) {
      FoundNode node;
      node.name = fmt::format("n{}", found.nodes.size());
      node.gpus = 8;
      node.usable_gpus = 8;
      node.free_gpus = is_free ? 8 : 0;
      node.domains = {fmt::format("r{}", rack)};
      found.nodes.push_back(node);
    }
  return found;
}

std::string text_of(const std::vector<Anomaly>& anomalies) {
  std::string text;
  for (const Anomaly& one : anomalies) text += one.kind + ": " + one.what + "\n";
  return text;
}

std::string text_of(const std::vector<Change>& changes) {
  std::string text;
  for (const Change& one : changes) text += one.kind + ": " + one.what + "\n";
  return text;
}

}  // namespace

TEST_CASE("fragmentation: what is free in all is not what one domain can give") {
  // Free nodes by rack: 3, 2, 1; 6 in all, 48 GPUs.
  const Survey seen = survey(
      racks({{true, true, true, false}, {true, true, false, false}, {true, false, false, false}}),
      nullptr);
  CHECK(seen.free_nodes == 6);
  CHECK(seen.free_gpus == 48);
  CHECK(seen.slot_sizes == std::vector<int>{8, 16, 32});
  REQUIRE(seen.levels.size() == 2);
  CHECK(seen.levels[0].name == "all");
  CHECK(seen.levels[0].fragmentation == 0);
  CHECK(seen.levels[0].slots == std::vector<std::int64_t>{6, 3, 1});
  // Inside racks: 24, 16 and 8 GPUs hold 3 + 2 + 1 jobs of 8, 1 + 1 + 0 of 16, none of 32.
  const LevelSurvey& rack = seen.levels[1];
  CHECK(rack.name == "rack");
  CHECK(rack.domains == 3);
  CHECK(rack.free_max == 3);
  CHECK(rack.freest == "r0");
  CHECK(rack.fragmentation == Approx(1 - 3.0 / 6));
  CHECK(rack.slots == std::vector<std::int64_t>{6, 2, 0});
}

TEST_CASE("nodes that take nothing new are neither free nor usable for slots") {
  FoundCluster found = racks({{true, true}});
  found.nodes[0].unavailable = "cordoned";
  const Survey seen = survey(found, nullptr);
  CHECK(seen.free_nodes == 1);
  REQUIRE(seen.inventory.size() == 2);
  CHECK(seen.inventory[0].unavailable == "cordoned");
  CHECK(seen.inventory[0].free_gpus == 0);
}

TEST_CASE("colour refinement tells apart what the network tells apart") {
  const auto even = cluster_from(
      "nodes: {type: dgx-h100, count: 8}\n"
      "fabric: {kind: fat_tree, nodes_per_leaf: 4, spines: 2}\n");
  REQUIRE(even.has_value());
  // All nodes are alike, all leaves, all spines.
  CHECK(symmetry_classes(found_of(*even, "c")).size() == 3);
  // 5 nodes: a leaf of 4 and one of 1.
  const auto uneven = cluster_from(
      "nodes: {type: dgx-h100, count: 5}\n"
      "fabric: {kind: fat_tree, nodes_per_leaf: 4, spines: 2}\n");
  REQUIRE(uneven.has_value());
  const std::vector<SymmetryClass> classes = symmetry_classes(found_of(*uneven, "c"));
  REQUIRE(classes.size() == 5);
  CHECK(classes[0].members == 4);
  CHECK(classes[1].members == 1);
  CHECK(classes[1].example == "node-4");
  CHECK(symmetry_classes(racks({{true, true}, {true, true}, {true}})).size() == 2);
}

TEST_CASE("a folded Clos network has the bisection of its narrowest tier") {
  // 16 nodes of 8 NICs with 400 Gbit/s; halves of 8 nodes send 64 x 400 Gbit/s at most.
  const auto cluster = [](int oversubscription) {
    return *cluster_from(
        fmt::format("nodes: {{type: dgx-h100, count: 16}}\n"
                    "fabric: {{kind: rail_optimized, nodes_per_leaf: 4, spines: 2, "
                    "oversubscription: {}}}\n",
                    oversubscription));
  };
  const double efficiency = cluster(1).nodes()[0].type->nic_efficiency;
  CHECK(bisection(cluster(1)).gbit() == Approx(64 * 400 * efficiency));
  CHECK(bisection(cluster(2)).gbit() == Approx(64 * 400 * efficiency / 2));
  CHECK(bisection(*cluster_from("nodes: {type: dgx-h100, count: 1}\n")).byte() == 0);
}

TEST_CASE("what is not as its neighbours are is told with its name") {
  const auto cluster = cluster_from(
      "nodes: {type: dgx-h100, count: 16}\n"
      "fabric: {kind: fat_tree, nodes_per_leaf: 2, spines: 2}\n",
      "link_down: ['leaf-3 -> spine-0 #1', 'node-5/nic-2']\n");
  REQUIRE(cluster.has_value());
  const std::string text = text_of(anomalies(found_of(*cluster, "c")));
  CHECK_THAT(text, Catch::Contains("cable down: ") && Catch::Contains("leaf-3 -> spine-0"));
  CHECK_THAT(text, Catch::Contains(
                       "missing uplink: leaf-3 has 15 where 7 of 8 switches of tier 1 have 16"));
  CHECK_THAT(text,
             Catch::Contains("missing NIC: node-5 has 7 where 15 of 16 dgx-h100 nodes have 8"));
  CHECK(
      anomalies(found_of(*cluster_from("nodes: {type: dgx-h100, count: 16}\n"
                                       "fabric: {kind: fat_tree, nodes_per_leaf: 2, spines: 2}\n"),
                         "c"))
          .empty());
  // A rack of 3 among racks of 4.
  const std::string uneven = text_of(anomalies(racks({{true, true, true, true},
                                                      {true, true, true, true},
                                                      {true, true, true, true},
                                                      {true, true, true}})));
  CHECK_THAT(uneven,
             Catch::Contains("uneven leaf: r3 has 3 where 3 of 4 lowest domains have 4 nodes"));
}

TEST_CASE("two dumps differ in what came, went, moved and broke") {
  FoundCluster before = racks({{true, true}, {true, true}});
  CHECK(difference(before, before).empty());
  FoundCluster after = before;
  after.nodes[0].name = "N0.example";  // the same machine
  after.nodes[1].domains = {"r1"};
  after.nodes[2].unavailable = "cordoned";
  after.nodes[3].name = "n9";
  after.nodes[0].free_gpus = 2;
  CHECK(text_of(difference(before, after)) ==
        "availability: n2: available -> cordoned\n"
        "free GPUs: N0.example: 8 -> 2\n"
        "node gone: n3\n"
        "node new: n9\n"
        "place: n1: r0 -> r1\n");

  CHECK(difference(before, after)[1].devices == std::vector<std::string>{"N0.example"});

  const auto whole = cluster_from(
      "nodes: {type: dgx-h100, count: 4}\nfabric: {kind: fat_tree, nodes_per_leaf: 2, spines: "
      "2}\n");
  const auto broken = cluster_from(
      "nodes: {type: dgx-h100, count: 4}\nfabric: {kind: fat_tree, nodes_per_leaf: 2, spines: 2}\n",
      "link_down: ['node-1/nic-3']\n");
  REQUIRE((whole.has_value() && broken.has_value()));
  const std::vector<Change> changes = difference(found_of(*whole, "a"), found_of(*broken, "b"));
  CHECK_THAT(text_of(changes),
             Catch::StartsWith("cable state: leaf-0 -> node-1 nic-3: up, 400 Gbit/s -> down"));
  CHECK(changes[0].devices == std::vector<std::string>{"node-1", "leaf-0"});
}

}  // namespace topology
