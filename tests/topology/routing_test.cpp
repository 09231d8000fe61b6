// Adaptive routing, PXN, NICs of two ports: routes word for word on small fabrics.

#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"

namespace topology {
namespace {

Cluster built(const std::string& yaml, const std::string& network = "") {
  base::Result<Cluster> cluster = cluster_from(yaml, network);
  INFO((cluster ? "" : text_of(cluster.error())));
  REQUIRE(cluster);
  return std::move(*cluster);
}

/// Four nodes of two GPUs on four leaves; each leaf has one cable to each of two spines.
const std::string four_leaves =
    "nodes: {node: {base: dgx-h100, gpus: 2, nics: 2}, count: 4}\n"
    "fabric: {kind: fat_tree, nodes_per_leaf: 1, spines: 2}\n";

TEST_CASE("adaptive routing: all cables up are one bundle, all cables down another") {
  const Cluster cluster = built(four_leaves);
  const Router router(cluster, {.kind = Routing::adaptive});
  CHECK(routes_text(cluster, router, 0, 2) ==
        "node-0/gpu-0 -> node-0/nic-0\n"
        "node-0/nic-0 -> leaf-0\n"
        "leaf-0 -> spine-0 + leaf-0 -> spine-1\n"
        "spine-0 -> leaf-1 + spine-1 -> leaf-1\n"
        "leaf-1 -> node-1/nic-0\n"
        "node-1/nic-0 -> node-1/gpu-0\n");
  // Another target of the same leaf shares the bundle up, another source the one down.
  CHECK(router.bundles().size() == 2);
  routes_text(cluster, router, 1, 4);
  CHECK(router.bundles().size() == 3);
  routes_text(cluster, router, 5, 3);
  CHECK(router.bundles().size() == 4);
  // Two cables of 400 Gbit/s = 50 GB/s, of which 0.96 are payload.
  for (const Bundle& bundle : router.bundles()) CHECK(bundle.rate.gbyte() == Approx(96));
  CHECK(routes_text(cluster, router, 0, 1) ==
        "node-0/gpu-0 -> node-0/nvswitch\nnode-0/nvswitch -> node-0/gpu-1\n");
  CHECK(routes_text(cluster, router, 0, 0).empty());
}

TEST_CASE("adaptive routing: parallel cables are one bundle, and a lone cable is itself") {
  const std::string nodes = "nodes: {node: {base: dgx-h100, gpus: 2, nics: 2}, count: 2}\n";
  const Cluster two = built(nodes + "fabric: {kind: fat_tree, nodes_per_leaf: 1, spines: 1}\n");
  const Router spread(two, {.kind = Routing::adaptive});
  CHECK(routes_text(two, spread, 0, 2) ==
        "node-0/gpu-0 -> node-0/nic-0\nnode-0/nic-0 -> leaf-0\n"
        "leaf-0 -> spine-0 + leaf-0 -> spine-0\nspine-0 -> leaf-1 + spine-0 -> leaf-1\n"
        "leaf-1 -> node-1/nic-0\nnode-1/nic-0 -> node-1/gpu-0\n");
  const Cluster one =
      built(nodes + "fabric: {kind: fat_tree, nodes_per_leaf: 1, oversubscription: 2}\n");
  const Router lone(one, {.kind = Routing::adaptive});
  CHECK(routes_text(one, lone, 0, 2) ==
        "node-0/gpu-0 -> node-0/nic-0\nnode-0/nic-0 -> leaf-0\nleaf-0 -> spine-0\n"
        "spine-0 -> leaf-1\nleaf-1 -> node-1/nic-0\nnode-1/nic-0 -> node-1/gpu-0\n");
  CHECK(lone.bundles().empty());
}

TEST_CASE("adaptive routing: what a fault leaves counts against all cables of the leaf, too") {
  const Cluster cluster = built(four_leaves, "link_down: leaf-1 -> spine-0");
  const Router router(cluster, {.kind = Routing::adaptive});
  CHECK(routes_text(cluster, router, 0, 2) ==
        "node-0/gpu-0 -> node-0/nic-0\n"
        "node-0/nic-0 -> leaf-0\n"
        "leaf-0 -> spine-1\n"
        "leaf-0 -> spine-0 + leaf-0 -> spine-1\n"  // shared with what goes to leaf-2 by both
        "spine-1 -> leaf-1\n"
        "leaf-1 -> node-1/nic-0\n"
        "node-1/nic-0 -> node-1/gpu-0\n");
  // A degraded cable: 48 + 12 GB/s.
  const Cluster slow = built(four_leaves, "link_degraded: {spine-0 -> leaf-0: 0.25}");
  const Router around(slow, {.kind = Routing::adaptive});
  routes_text(slow, around, 0, 2);
  CHECK(around.bundles().at(0).rate.gbyte() == Approx(60));
  CHECK(around.bundles().at(1).rate.gbyte() == Approx(96));
}

TEST_CASE("adaptive routing: a detour by another leaf counts against the cables of both") {
  // leaf-0 has only spine-0, leaf-1 only spine-1: by leaf-2 or leaf-3, half each.
  const Cluster cluster = built(four_leaves, "link_down: [leaf-0 -> spine-1, leaf-1 -> spine-0]");
  const Router router(cluster, {.kind = Routing::adaptive});
  const auto by = [](int leaf) {
    return fmt::format(
        "0.5 of it\n"
        "node-0/gpu-0 -> node-0/nic-0\nnode-0/nic-0 -> leaf-0\nleaf-0 -> spine-0\n"
        "spine-0 -> leaf-{0}\nspine-0 -> leaf-{0} + spine-1 -> leaf-{0}\n"
        "leaf-{0} -> spine-1\nleaf-{0} -> spine-0 + leaf-{0} -> spine-1\n"
        "spine-1 -> leaf-1\nleaf-1 -> node-1/nic-0\nnode-1/nic-0 -> node-1/gpu-0\n",
        leaf);
  };
  CHECK(routes_text(cluster, router, 0, 2) == by(3) + by(2));
}

TEST_CASE("adaptive routing in three levels: the cables of a pod are one bundle") {
  // Pods of two leaves with two spines; each spine has 2 down, 2 up to its group's one core.
  const Cluster cluster = built(
      "nodes: {node: {base: dgx-h100, gpus: 2, nics: 2}, count: 4}\n"
      "fabric: {kind: fat_tree, nodes_per_leaf: 1, leaves_per_pod: 2, spines: 2}\n");
  const Router router(cluster, {.kind = Routing::adaptive});
  CHECK(routes_text(cluster, router, 0, 4) ==
        "node-0/gpu-0 -> node-0/nic-0\n"
        "node-0/nic-0 -> leaf-0\n"
        "leaf-0 -> spine-0 + leaf-0 -> spine-1\n"
        "spine-0 -> core-0 + spine-0 -> core-0 + spine-1 -> core-1 + spine-1 -> core-1\n"
        "core-0 -> spine-2 + core-0 -> spine-2 + core-1 -> spine-3 + core-1 -> spine-3\n"
        "spine-2 -> leaf-2 + spine-3 -> leaf-2\n"
        "leaf-2 -> node-2/nic-0\n"
        "node-2/nic-0 -> node-2/gpu-0\n");
  CHECK(router.bundles().at(1).rate.gbyte() == Approx(4 * 48));
  // From the other leaf of the pod to the other leaf there: the same two bundles in the middle.
  routes_text(cluster, router, 2, 6);
  CHECK(router.bundles().size() == 4 + 2);
}

TEST_CASE("adaptive routing in a dragonfly: each shortest path has its share") {
  // Two routers a group with two global links each, two groups: four links to the other group,
  // router i to router i by two. From router 0 to router 1 there: local first or global first.
  const Cluster cluster = built(
      "nodes: {type: polaris, count: 4}\n"
      "fabric: {kind: dragonfly, nodes_per_leaf: 1, routers_per_group: 2, "
      "global_links_per_router: 2}\n");
  const Router router(cluster, {.kind = Routing::adaptive});
  std::vector<Route> routes;
  REQUIRE(router.route(0, 12, routes));
  REQUIRE(routes.size() == 2);
  // Router 0 deals by rate: two global cables, one local one.
  CHECK(routes[0].share + routes[1].share == Approx(1));
  CHECK(std::max(routes[0].share, routes[1].share) == Approx(2.0 / 3));
}

const std::string two_rail_nodes =
    "nodes: {type: dgx-h100, count: 2}\nfabric: {kind: rail_optimized}\n";

TEST_CASE("PXN: over the NVSwitch to the rail of the peer, not over a spine") {
  const Cluster cluster = built(two_rail_nodes);
  const Router pxn(cluster, {});
  CHECK(routes_text(cluster, pxn, 0, 11) ==
        "node-0/gpu-0 -> node-0/nvswitch\n"
        "node-0/nvswitch -> node-0/gpu-3\n"
        "node-0/gpu-3 -> node-0/nic-3\n"
        "node-0/nic-3 -> leaf-3\n"
        "leaf-3 -> node-1/nic-3\n"
        "node-1/nic-3 -> node-1/gpu-3\n");
  CHECK(routes_text(cluster, pxn, 3, 11) ==
        "node-0/gpu-3 -> node-0/nic-3\nnode-0/nic-3 -> leaf-3\n"
        "leaf-3 -> node-1/nic-3\nnode-1/nic-3 -> node-1/gpu-3\n");
  const Router plain(cluster, {.kind = Routing::adaptive, .pxn = false});
  const std::string by_spine = routes_text(cluster, plain, 0, 11);
  CHECK(by_spine.starts_with("node-0/gpu-0 -> node-0/nic-0\nnode-0/nic-0 -> leaf-0\n"));
  CHECK(by_spine.find("leaf-0 -> spine-0") != std::string::npos);
}

TEST_CASE("PXN needs rails, an NVSwitch, and a NIC of that rail that works") {
  const auto starts_at_own_nic = [](const std::string& nodes, const std::string& kind,
                                    const std::string& network) {
    const Cluster cluster =
        built("nodes: {type: " + nodes + ", count: 2}\nfabric: {kind: " + kind + "}\n", network);
    const Router router(cluster, {});
    return routes_text(cluster, router, 0, 11).starts_with("node-0/gpu-0 -> node-0/nic-0\n");
  };
  CHECK_FALSE(starts_at_own_nic("dgx-h100", "rail_optimized", ""));
  CHECK(starts_at_own_nic("dgx-h100", "fat_tree", ""));
  CHECK(starts_at_own_nic("dgx-h100", "rail_optimized", "link_down: node-0/nic-3"));
  CHECK(starts_at_own_nic("mi300x-8", "rail_optimized", ""));  // a mesh
}

/// Two units of two nodes; leaf (unit x 8 + rail) x 2 + port. A leaf has two ports of 200 Gbit/s
/// down, so one cable of 400 up.
std::string two_ports(int planes) {
  return fmt::format(
      "nodes: {{type: dgx-h100, count: 4}}\n"
      "fabric: {{kind: rail_optimized, nodes_per_leaf: 2, nic_ports: 2, planes: {}}}\n",
      planes);
}

TEST_CASE("two planes: each port has its own leaves and spine") {
  const Cluster cluster = built(two_ports(2));
  CHECK(cluster.fabric() == "rail-optimised, 2 planes");
  CHECK(count_devices(cluster, DeviceKind::leaf) == 32);
  CHECK(count_devices(cluster, DeviceKind::spine) == 2);
  CHECK(count_cables(cluster, DeviceKind::nic, DeviceKind::leaf) == 4 * 8 * 2);
  CHECK(count_cables(cluster, DeviceKind::leaf, DeviceKind::spine) == 32);
  const Router router(cluster, {});
  // GPU 1 to GPU 1 of node 2, which is in the other unit: leaves 2 and 3, then 18 and 19.
  const auto by = [](int port) {
    return fmt::format(
        "0.5 of it\n"
        "node-0/gpu-1 -> node-0/nic-1\nnode-0/nic-1 -> leaf-{}\nleaf-{} -> spine-{}\n"
        "spine-{} -> leaf-{}\nleaf-{} -> node-2/nic-1\nnode-2/nic-1 -> node-2/gpu-1\n",
        2 + port, 2 + port, port, port, 18 + port, 18 + port);
  };
  CHECK(routes_text(cluster, router, 1, 17) == by(0) + by(1));
  for (LinkId id = 0; id < cluster.link_count(); ++id) {
    const Link& link = cluster.link(id);
    if (cluster.device(link.from).kind != DeviceKind::nic ||
        cluster.device(link.to).kind != DeviceKind::leaf)
      continue;
    CHECK(link.rate.gbyte() == Approx(24));  // half of 48
    CHECK(link.rail == cluster.device(link.to).rail);
  }
}

TEST_CASE("a port that is down leaves its transfers to the other one") {
  // Planes do not meet, so what leaves by port 0 cannot come in by port 1.
  const std::string down = "link_down: node-2/nic-1 -> leaf-18";
  const Cluster planes = built(two_ports(2), down);
  const std::string whole =
      "node-0/gpu-1 -> node-0/nic-1\nnode-0/nic-1 -> leaf-3\nleaf-3 -> spine-1\n"
      "spine-1 -> leaf-19\nleaf-19 -> node-2/nic-1\nnode-2/nic-1 -> node-2/gpu-1\n";
  CHECK(routes_text(planes, Router(planes, {}), 1, 17) == whole);
  CHECK(planes.notes().size() == 1);
  // With one plane both leave, and come in by the port that is left.
  const Cluster dual = built(two_ports(1), down);
  CHECK(dual.fabric() == "rail-optimised, dual ToR");
  const auto by = [](int leaf) {
    return fmt::format(
        "0.5 of it\n"
        "node-0/gpu-1 -> node-0/nic-1\nnode-0/nic-1 -> leaf-{}\nleaf-{} -> spine-0\n"
        "spine-0 -> leaf-19\nleaf-19 -> node-2/nic-1\nnode-2/nic-1 -> node-2/gpu-1\n",
        leaf, leaf);
  };
  CHECK(routes_text(dual, Router(dual, {}), 1, 17) == by(2) + by(3));
}

TEST_CASE("planes of pods, and racks with two leaves") {
  // Each of 2 planes: 16 leaves in pods of 8 with 1 spine: 8 down, 8 up to one core of 16 ports.
  const Cluster pods = built(
      "nodes: {type: dgx-h100, count: 4}\n"
      "fabric: {kind: rail_optimized, nodes_per_leaf: 2, nic_ports: 2, planes: 2, "
      "leaves_per_pod: 8}\n");
  CHECK(count_devices(pods, DeviceKind::spine) == 4);
  CHECK(count_devices(pods, DeviceKind::core) == 2);
  CHECK(count_cables(pods, DeviceKind::spine, DeviceKind::core) == 4 * 8);
  // Racks of two nodes: 16 ports of 200 Gbit/s down on each of 2 leaves, 8 up.
  const Cluster racks = built(
      "nodes: {type: dgx-h100, count: 4}\n"
      "fabric: {kind: fat_tree, nodes_per_leaf: 2, nic_ports: 2}\n");
  CHECK(racks.fabric() == "fat tree, dual ToR");
  CHECK(count_devices(racks, DeviceKind::leaf) == 4);
  CHECK(count_cables(racks, DeviceKind::leaf, DeviceKind::spine) == 4 * 8);
}

}  // namespace
}  // namespace topology
