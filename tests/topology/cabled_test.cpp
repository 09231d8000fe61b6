#include <fmt/format.h>

#include <set>
#include <string>

#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"
#include "topology/summary.hpp"

namespace topology {
namespace {

/// Nodes of 2 GPUs with a NIC each, under leaves of a rail each, in units of two nodes; all leaves
/// meet in two spines, with `parallel` cables to each.
///
///     unit 0: leaf-0-r0 leaf-0-r1     unit 1: leaf-1-r0 leaf-1-r1
///                 each leaf to spine-0 and spine-1
ClusterSpec rails(int units, int parallel) {
  ClusterSpec spec;
  auto type = std::make_shared<NodeType>(*shipped_registry()->find_node("dgx-h100"));
  type->gpus = 2;
  type->nics = 2;
  spec.custom_types.push_back(type);
  Cabling& cabling = spec.cabling;
  cabling.switches = {{"spine-0", 2}, {"spine-1", 2}};
  for (int unit = 0; unit < units; ++unit) {
    for (int rail = 0; rail < 2; ++rail) {
      for (std::size_t spine = 0; spine < 2; ++spine)
        for (int i = 0; i < parallel; ++i)
          cabling.trunks.push_back({.lower = cabling.switches.size(),
                                    .upper = spine,
                                    .rate = base::BytesPerSecond::from_gbit(400)});
      cabling.switches.push_back({fmt::format("leaf-{}-r{}", unit, rail), 1, rail});
    }
    for (int i = 0; i < 2; ++i) {
      for (int rail = 0; rail < 2; ++rail)
        cabling.node_cables.push_back(
            {.node = spec.nodes.size(),
             .nic = rail,
             .to = cabling.switches.size() - 2 + static_cast<std::size_t>(rail),
             .rate = base::BytesPerSecond::from_gbit(400)});
      spec.nodes.push_back(
          {.name = fmt::format("n{}", spec.nodes.size()), .type = type.get(), .usable_gpus = 2});
    }
  }
  return spec;
}

Cluster built(const ClusterSpec& spec) {
  auto cluster = build_cluster(spec, shipped_registry());
  INFO((cluster ? "" : text_of(cluster.error())));
  REQUIRE(cluster);
  return *cluster;
}

std::string mistakes(const ClusterSpec& spec) {
  const auto cluster = build_cluster(spec, shipped_registry());
  return cluster ? "built" : text_of(cluster.error());
}

TEST_CASE("a rail fabric is built cable by cable as it was found") {
  const Cluster cluster = built(rails(2, 3));
  CHECK(summary(cluster) == "4 x dgx-h100 (8 x H100-SXM5-80GB), as cabled, 2 rails");
  CHECK(count_devices(cluster, DeviceKind::leaf) == 4);
  CHECK(count_devices(cluster, DeviceKind::spine) == 2);
  CHECK(count_cables(cluster, DeviceKind::nic, DeviceKind::leaf) == 8);
  CHECK(count_cables(cluster, DeviceKind::leaf, DeviceKind::spine) == 4 * 2 * 3);
  const Router router(cluster, {.pxn = false});
  CHECK(routes_text(cluster, router, 0, 2) ==
        "n0/gpu-0 -> n0/nic-0\n"
        "n0/nic-0 -> leaf-0-r0\n"
        "leaf-0-r0 -> n1/nic-0\n"
        "n1/nic-0 -> n1/gpu-0\n");
  // Another rail of the same unit: over one of the spines.
  std::vector<Route> routes;
  REQUIRE(router.route(0, 3, routes));
  REQUIRE(routes.size() == 1);
  CHECK(routes[0].hops.size() == 6);
  // With PXN the crossing is inside the node.
  const Router pxn(cluster, {});
  CHECK(routes_text(cluster, pxn, 0, 3) ==
        "n0/gpu-0 -> n0/nvswitch\n"
        "n0/nvswitch -> n0/gpu-1\n"
        "n0/gpu-1 -> n0/nic-1\n"
        "n0/nic-1 -> leaf-0-r1\n"
        "leaf-0-r1 -> n1/nic-1\n"
        "n1/nic-1 -> n1/gpu-1\n");
}

TEST_CASE("what was found equals the same fabric built from sizes") {
  // dgx-h100 with 2 units of 2 nodes and 2 rails; 2 NICs down and 2 cables up on each leaf.
  const auto by_size = cluster_from(
      "nodes: {node: {base: dgx-h100, gpus: 2, nics: 2}, count: 4}\n"
      "fabric: {kind: rail_optimized, nodes_per_leaf: 2, spines: 2}\n");
  REQUIRE(by_size);
  const Cluster found = built(rails(2, 1));
  REQUIRE(found.link_count() == by_size->link_count());
  CHECK(tiers(found).size() == tiers(*by_size).size());
  for (std::size_t i = 0; i < tiers(found).size(); ++i) {
    CHECK(tiers(found)[i].cables == tiers(*by_size)[i].cables);
    CHECK(tiers(found)[i].rate.gbit() == Approx(tiers(*by_size)[i].rate.gbit()));
    CHECK(tiers(found)[i].oversubscription == Approx(tiers(*by_size)[i].oversubscription));
  }
}

TEST_CASE("adaptive routing uses all parallel cables as found, but those that are down") {
  ClusterSpec spec = rails(2, 2);
  spec.cabling.trunks[1].rate_left = 0;    // leaf-0-r0 -> spine-0, the second
  spec.cabling.trunks[2].rate_left = 0.5;  // leaf-0-r0 -> spine-1, the first
  const Cluster cluster = built(spec);
  int down = 0;
  int degraded = 0;
  for (LinkId id = 0; id < cluster.link_count(); ++id) {
    down += cluster.link(id).down ? 1 : 0;
    degraded += cluster.link(id).degraded ? 1 : 0;
  }
  CHECK(down == 2);  // both directions
  CHECK(degraded == 2);
  CHECK(text_of(cluster.notes()).find("cables found down: 1, degraded: 1") != std::string::npos);
  const Router router(cluster, {.kind = Routing::adaptive});
  std::vector<Route> routes;
  REQUIRE(router.route(0, 4, routes));  // n0 to n2, rail 0
  REQUIRE(routes.size() == 1);
  REQUIRE(routes[0].hops.size() == 6);
  // Up from the leaf: 1 of 2 cables to spine-0, both to spine-1, one of them at half its rate.
  const Bundle& up = router.bundles().at(routes[0].hops[2] - cluster.link_count());
  const double efficiency = shipped_registry()->find_node("dgx-h100")->nic_efficiency;
  CHECK(up.links.size() == 3);
  CHECK(up.rate.gbit() == Approx((400 + 200 + 400) * efficiency));
}

TEST_CASE("three levels as found are routed over the core, around a failed cable") {
  // Two pods of one unit each; the spines of a pod have two cables each to both cores.
  ClusterSpec spec = rails(2, 1);
  Cabling& cabling = spec.cabling;
  cabling.switches.insert(cabling.switches.end(),
                          {{"spine-2", 2}, {"spine-3", 2}, {"core-0", 3}, {"core-1", 3}});
  for (Cabling::Trunk& trunk : cabling.trunks)
    if (cabling.switches[trunk.lower].name.starts_with("leaf-1")) trunk.upper += 6;
  for (const std::size_t spine : {0U, 1U, 6U, 7U})
    for (const std::size_t core : {8U, 9U})
      cabling.trunks.insert(cabling.trunks.end(), 2, {.lower = spine, .upper = core});
  const auto passed = [](const Cluster& cluster) {
    const Router router(cluster, {});
    std::vector<Route> routes;
    REQUIRE(router.route(0, 4, routes));
    REQUIRE(routes.size() == 1);
    REQUIRE(routes[0].hops.size() == 8);  // GPU, NIC, leaf, spine, core, spine, leaf, NIC, GPU
    return routes[0].hops;
  };
  const Cluster whole = built(spec);
  CHECK(tiers(whole).size() == 3);
  CHECK(count_cables(whole, DeviceKind::spine, DeviceKind::core) == 16);
  CHECK(text_of(whole.notes()).find("cables whose rate nobody told: 16") != std::string::npos);
  const std::uint32_t taken = passed(whole)[3];
  // Links are laid out cable by cable, so the failed one keeps its number.
  const LinkId first_trunk = static_cast<LinkId>(whole.link_count() - 2 * cabling.trunks.size());
  cabling.trunks[(taken - first_trunk) / 2].rate_left = 0;
  const Cluster broken = built(spec);
  REQUIRE(broken.link(taken).down);
  CHECK(passed(broken)[3] != taken);
}

TEST_CASE("a NIC with two cables has two ports of half its rate, and no more than two") {
  ClusterSpec spec = rails(1, 1);
  for (Cabling::NodeCable& cable : spec.cabling.node_cables) cable.rate = {};
  // Each NIC to both leaves.
  const auto once = spec.cabling.node_cables;
  for (Cabling::NodeCable cable : once) {
    cable.to = cable.to == 2 ? 3 : 2;
    spec.cabling.node_cables.push_back(cable);
  }
  const Cluster cluster = built(spec);
  const Router router(cluster, {});
  std::vector<Route> routes;
  REQUIRE(router.route(0, 2, routes));
  REQUIRE(routes.size() == 2);
  const NodeType& type = *shipped_registry()->find_node("dgx-h100");
  CHECK(cluster.link(routes[0].hops[1]).rate.gbit() ==
        Approx(type.nic_rate.gbit() / 2 * type.nic_efficiency));
  spec.cabling.node_cables.push_back(once.front());
  CHECK(mistakes(spec) ==
        "cluster: error: NIC 0 of node 'n0' has more than 2 cables (are two NICs taken for "
        "one?)\n");
}

TEST_CASE("a NIC without a cable leaves its GPU to another NIC of the node") {
  ClusterSpec spec = rails(1, 1);
  spec.cabling.node_cables.erase(spec.cabling.node_cables.begin());
  const Cluster cluster = built(spec);
  CHECK(text_of(cluster.notes())
            .find("GPUs that use another NIC of their node, for theirs has no cable that is up: 1 "
                  "(n0/gpu-0)") != std::string::npos);
}

TEST_CASE("a fault of the user's on a cable that was found down leaves it down") {
  ClusterSpec spec = rails(1, 2);
  spec.cabling.trunks[0].rate_left = 0;
  spec.faults = {{"leaf-0-r0 -> spine-0 #1", 0.5, {"n.yaml", 1, 1}}};
  const Cluster cluster = built(spec);
  int down = 0;
  for (LinkId id = 0; id < cluster.link_count(); ++id) down += cluster.link(id).down ? 1 : 0;
  CHECK(down == 2);
}

TEST_CASE("cables that make no cluster are refused") {
  ClusterSpec lone = rails(1, 1);
  lone.cabling.node_cables.resize(2);
  CHECK(mistakes(lone) ==
        "cluster: error: no cable of node 'n1' is known (its GPUs could not reach the other nodes; "
        "leave the node out, or name it as the dump of the cables does)\n");
  ClusterSpec apart = rails(2, 1);
  apart.cabling.trunks.clear();
  CHECK(mistakes(apart) ==
        "cluster: error: the cables as they were found leave no path from n0/gpu-0 to n2/gpu-0 "
        "(every GPU must reach every other one)\n");
  ClusterSpec odd = rails(1, 1);
  odd.cabling.switches[1].name = "spine-0";
  odd.cabling.switches[0].tier = 0;
  odd.cabling.node_cables[0].to = 9;
  odd.cabling.node_cables[1].nic = 2;
  odd.cabling.node_cables[2].node = 9;
  odd.cabling.trunks[0].upper = odd.cabling.trunks[0].lower;
  odd.cabling.trunks[1].upper = 9;
  odd.cabling.trunks[2].rate_left = 2;
  CHECK(mistakes(odd) ==
        "cluster: error: switch 'spine-0' is of tier 0, must be at least 1\n"
        "cluster: error: two switches are named 'spine-0'\n"
        "cluster: error: a cable ends at switch 9, but there are 4\n"
        "cluster: error: a cable ends at NIC 2 of node 'n0', but a dgx-h100 has 2\n"
        "cluster: error: a cable ends at node 9, but there are 2\n"
        "cluster: error: no cable of node 'n0' is known (its GPUs could not reach the other nodes; "
        "leave the node out, or name it as the dump of the cables does)\n"
        "cluster: error: a cable joins switch 'leaf-0-r0' to itself\n"
        "cluster: error: a cable ends at switch 9, but there are 4\n"
        "cluster: error: a cable has 2 of its rate left, must be 0 to 1\n");
}

}  // namespace
}  // namespace topology
