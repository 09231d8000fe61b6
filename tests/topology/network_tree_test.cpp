#include "topology/network_tree.hpp"

#include "tests/support/catch.hpp"
#include "tests/topology/k8s_dump.hpp"

namespace topology {
namespace {

Cluster built(const std::string& yaml, const std::string& network = "") {
  base::Result<Cluster> cluster = cluster_from(yaml, network);
  INFO((cluster ? "" : text_of(cluster.error())));
  REQUIRE(cluster);
  return std::move(*cluster);
}

TEST_CASE("nodes under one set of rail leaves are a domain, and its way out is all uplinks") {
  // 4 nodes x 8 NICs x 400 Gbit/s, 4 nodes a unit, half of it upwards; wire efficiency of the type.
  const Cluster cluster = built(
      "nodes: {type: dgx-h100, count: 8}\n"
      "fabric: {kind: rail_optimized, nodes_per_leaf: 4, oversubscription: 2}");
  const NetworkTree tree = network_tree(cluster);
  REQUIRE(tree.domains.size() == 3);
  CHECK(tree.rails);
  CHECK(tree.domains[1].name == "leaf-0 to leaf-7");
  CHECK(tree.domains[1].nodes == 4);
  const double efficiency = cluster.nodes()[0].type->nic_efficiency;
  CHECK(tree.domains[1].up.gbit() == Approx(4 * 8 * 400 / 2.0 * efficiency));
  CHECK(tree.home == std::vector<int>{1, 1, 1, 1, 2, 2, 2, 2});
}

TEST_CASE("pods are domains above those of their leaves") {
  const Cluster cluster = built(
      "nodes: {type: dgx-h100, count: 8}\n"
      "fabric: {kind: fat_tree, nodes_per_leaf: 2, leaves_per_pod: 2, core_oversubscription: 4}");
  const NetworkTree tree = network_tree(cluster);
  CHECK(tree.domains.size() == 1 + 2 + 4);
  for (const NetworkDomain& domain : tree.domains)
    CHECK(domain.nodes == (domain.depth == 0 ? 8 : domain.depth == 1 ? 4 : 2));
  const std::vector<Level> levels = named_levels(cluster);
  REQUIRE(levels.size() == 3);
  CHECK(levels[0].name == "core");
  CHECK(levels[1].domain_of == std::vector<int>{0, 0, 0, 0, 1, 1, 1, 1});
  CHECK(levels[2].domain_of == std::vector<int>{0, 0, 1, 1, 2, 2, 3, 3});
}

TEST_CASE("cables that are down leave a narrower way out") {
  const std::string yaml =
      "nodes: {type: dgx-h100, count: 4}\nfabric: {kind: fat_tree, nodes_per_leaf: 2, spines: 4}";
  const NetworkTree whole = network_tree(built(yaml));
  const NetworkTree broken = network_tree(built(yaml, "link_down: leaf-0 -> spine-0"));
  CHECK(broken.domains[1].up.gbit() == Approx(0.75 * whole.domains[1].up.gbit()));
  CHECK(broken.domains[2].up.gbit() == Approx(whole.domains[2].up.gbit()));
}

TEST_CASE("one switch has no domains below it, and routers of a dragonfly have") {
  CHECK(network_tree(built("nodes: {type: dgx-h100, count: 4}")).domains.size() == 1);
  const NetworkTree dragonfly = network_tree(
      built("nodes: {type: dgx-h100, count: 8}\nfabric: {kind: dragonfly, nodes_per_leaf: 2, "
            "routers_per_group: 2, global_links_per_router: 1}"));
  CHECK(dragonfly.domains.size() == 1 + 4);
}

TEST_CASE("labels name levels by the path, for names repeat under other parents") {
  std::vector<FakeNode> nodes;
  for (const auto& [zone, rack] : std::vector<std::pair<std::string, std::string>>{
           {"a", "r1"}, {"a", "r2"}, {"b", "r1"}, {"b", "r1"}})
    nodes.push_back({.name = fmt::format("n{}", nodes.size()),
                     .labels = dgx({{"example.com/zone", zone}, {"example.com/rack", rack}})});
  const std::vector<std::string> keys{"example.com/zone", "example.com/rack"};
  auto import = import_nodes(nodes, {.levels = keys});
  REQUIRE(import);
  import->spec.levels = keys;
  const base::Result<Cluster> cluster = build_cluster(import->spec, shipped_registry());
  REQUIRE(cluster);
  const std::vector<Level> levels = named_levels(*cluster);
  REQUIRE(levels.size() == 2);
  CHECK(levels[1].name == "example.com/rack");
  CHECK(levels[1].domain_of == std::vector<int>{0, 1, 2, 2});
  CHECK(levels[1].domain_names == std::vector<std::string>{"a/r1", "a/r2", "b/r1"});
  // Zone a with racks of one node each, zone b whose one rack has the same nodes.
  const NetworkTree tree = network_tree(*cluster);
  CHECK(tree.domains.size() == 1 + 2 + 2);
}

}  // namespace
}  // namespace topology
