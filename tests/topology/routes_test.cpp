#include "topology/routes.hpp"

#include <deque>
#include <limits>
#include <map>
#include <set>

#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"

namespace topology {
namespace {

/// The slow and obvious answer: fewest links from one device to another that pass only devices
/// `may_pass` accepts; -1 when there is no way.
template <class MayPass>
int fewest_links(const Cluster& cluster, DeviceId from, DeviceId to, MayPass may_pass) {
  std::vector<int> distance(cluster.device_count(), -1);
  distance[from] = 0;
  std::deque<DeviceId> queue{from};
  while (!queue.empty()) {
    const DeviceId at = queue.front();
    queue.pop_front();
    for (LinkId id = 0; id < cluster.link_count(); ++id) {
      const Link& link = cluster.link(id);
      if (link.from != at || distance[link.to] >= 0) continue;
      if (link.to != to && !may_pass(cluster.device(link.to))) continue;
      distance[link.to] = distance[at] + 1;
      queue.push_back(link.to);
    }
  }
  return distance[to];
}

/// The links of a transfer that takes one path; none within one GPU.
std::vector<std::uint32_t> only_route(const Router& router, GpuId a, GpuId b) {
  std::vector<Route> routes;
  REQUIRE(router.route(a, b, routes));
  REQUIRE(routes.size() == 1);
  REQUIRE(routes[0].share == 1);
  return routes[0].hops;
}

DeviceId nic_of(const Cluster& cluster, GpuId gpu) {
  const NodeInfo& node = cluster.nodes()[static_cast<std::size_t>(cluster.node_of(gpu))];
  const int rail = static_cast<int>(gpu - node.first_gpu) * node.type->nics / node.type->gpus;
  for (DeviceId id = 0; id < cluster.device_count(); ++id) {
    const Device& device = cluster.device(id);
    if (device.kind == DeviceKind::nic && device.node == cluster.node_of(gpu) &&
        device.rail == rail)
      return id;
  }
  FAIL("no NIC");
  return 0;
}

/// What the shortest legal route between two GPUs takes, found without the router.
int expected_links(const Cluster& cluster, GpuId a, GpuId b) {
  const auto inside = [](const Device& d) {
    return d.kind == DeviceKind::nvswitch || d.kind == DeviceKind::pcie_switch;
  };
  const auto fabric = [](const Device& d) {
    return d.kind == DeviceKind::leaf || d.kind == DeviceKind::spine || d.kind == DeviceKind::core;
  };
  if (cluster.same_scale_up_domain(a, b))
    return fewest_links(cluster, cluster.gpu(a), cluster.gpu(b), inside);
  const DeviceId nic_a = nic_of(cluster, a);
  const DeviceId nic_b = nic_of(cluster, b);
  const auto host = [](const Device& d) { return d.kind == DeviceKind::pcie_switch; };
  return fewest_links(cluster, cluster.gpu(a), nic_a, host) +
         fewest_links(cluster, nic_a, nic_b, fabric) +
         fewest_links(cluster, nic_b, cluster.gpu(b), host);
}

TEST_CASE("routes of every pair are walks of the length that brute force finds") {
  const std::string yaml = GENERATE(
      as<std::string>{}, "nodes: {type: dgx-h100, count: 3}\nfabric: {kind: rail_optimized}\n",
      "nodes: {node: {base: dgx-h100, gpus: 2, nics: 2}, count: 8}\n"
      "fabric: {kind: rail_optimized, switch_ports: 4}\n",
      "nodes: {node: {base: dgx-a100, gpus: 4, nics: 2}, count: 6}\n"
      "fabric: {kind: fat_tree, nodes_per_leaf: 2, oversubscription: 2}\n",
      "nodes: {node: {base: dgx-a100, gpus: 2, nics: 1}, count: 12}\n"
      "fabric: {kind: fat_tree, nodes_per_leaf: 2, leaves_per_pod: 2, spines: 2}\n",
      "nodes: [{type: g5.48xlarge, count: 2}, {type: polaris, count: 2}]\n"
      "fabric: {kind: single_switch}\n",
      "nodes: {type: polaris, count: 8}\n"
      "fabric: {kind: dragonfly, nodes_per_leaf: 1, routers_per_group: 2, "
      "global_links_per_router: 2}\n",
      "nodes: {node: {base: gb200-tray, scale_up_domain_nodes: 2}, count: 6}\n"
      "fabric: {kind: rail_optimized}\n");
  INFO(yaml);
  const base::Result<Cluster> cluster = cluster_from(yaml);
  REQUIRE(cluster);
  const Router router(*cluster, {.pxn = false});
  int pairs = 0;
  for (GpuId a = 0; a < static_cast<GpuId>(cluster->gpu_count()); ++a)
    for (GpuId b = 0; b < static_cast<GpuId>(cluster->gpu_count()); ++b) {
      const std::vector<std::uint32_t> links = only_route(router, a, b);
      DeviceId at = cluster->gpu(a);
      for (const LinkId id : links) {
        REQUIRE(cluster->link(id).from == at);
        at = cluster->link(id).to;
      }
      REQUIRE(at == cluster->gpu(b));
      if (a != b) REQUIRE(static_cast<int>(links.size()) == expected_links(*cluster, a, b));
      ++pairs;
    }
  CHECK(pairs >= 256);
}

TEST_CASE("same rail is one switch away, without PXN another rail three") {
  const base::Result<Cluster> cluster =
      cluster_from("nodes: {type: dgx-h100, count: 64}\nfabric: {kind: rail_optimized}\n");
  REQUIRE(cluster);
  const Router router(*cluster, {.pxn = false});
  const auto length = [&](GpuId a, GpuId b) { return only_route(router, a, b).size(); };
  CHECK(length(0, 3) == 2);       // GPU, NVSwitch, GPU
  CHECK(length(0, 8) == 4);       // GPU, NIC, leaf, NIC, GPU
  CHECK(length(0, 9) == 6);       // and spine, leaf
  CHECK(length(0, 32 * 8) == 6);  // same rail, next unit
  CHECK(length(0, 0) == 0);
}

TEST_CASE("equal-cost cables are shared out evenly, and the seed changes who gets which") {
  const base::Result<Cluster> cluster =
      cluster_from("nodes: {type: dgx-h100, count: 64}\nfabric: {kind: rail_optimized}\n");
  REQUIRE(cluster);
  // 32 nodes to 32 nodes, same rail 0: 1,024 flows over the 32 uplinks of one leaf: 32 each on
  // average, standard deviation sqrt(32) = 5.7.
  const auto uplinks = [&](std::uint64_t seed) {
    const Router router(*cluster, {.ecmp_seed = seed});
    std::map<LinkId, int> flows;
    for (GpuId a = 0; a < 32 * 8; a += 8)
      for (GpuId b = 32 * 8; b < 64 * 8; b += 8) {
        ++flows[only_route(router, a, b)[2]];
      }
    return flows;
  };
  const std::map<LinkId, int> flows = uplinks(0);
  CHECK(flows.size() == 32);
  for (const auto& [link, count] : flows) {
    CHECK(count > 10);
    CHECK(count < 60);
  }
  CHECK(uplinks(0) == flows);
  CHECK(uplinks(1) != flows);
}

TEST_CASE("a GPU of a lone node without a fabric has no way out") {
  const base::Result<Cluster> cluster = cluster_from("nodes: {type: dgx-h100, count: 1}\n");
  REQUIRE(cluster);
  const Router router(*cluster, {});
  CHECK(only_route(router, 0, 7).size() == 2);
}

}  // namespace
}  // namespace topology
