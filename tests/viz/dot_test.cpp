#include <algorithm>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"
#include "viz/viz.hpp"

namespace viz {
namespace {

using topology::Cluster;

Cluster cluster_of(const std::string& yaml, const std::string& network = "") {
  base::Result<Cluster> cluster = topology::cluster_from(yaml, network);
  REQUIRE(cluster);
  return std::move(*cluster);
}

int occurrences(const std::string& text, const std::string& word) {
  int count = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1))
    ++count;
  return count;
}

TEST_CASE("two nodes are drawn device by device, parallel cables as one line") {
  const std::string dot = topology_dot(
      cluster_of("{nodes: {type: dgx-h100, count: 2}, fabric: {kind: rail_optimized}}"), {});
  CHECK(occurrences(dot, "label=\"gpu-") == 16);
  CHECK(occurrences(dot, "label=\"nic-") == 16);
  CHECK(occurrences(dot, "label=\"nvswitch\"") == 2);
  // 8 leaves and 4 spines; 256 cables are 32 lines of 8. Per node 8 + 8 + 8 lines more.
  CHECK(occurrences(dot, " -- b") >= 32 + 48);
  CHECK(occurrences(dot, "penwidth=2.5") == 32);
  CHECK(occurrences(dot, "penwidth=1.2") == 48);
  CHECK(dot.find("leaf switch to spine switch: 8 x 384 Gbit/s") != std::string::npos);
  CHECK(dot.find("by use of") == std::string::npos);  // no load, no colours of load
}

TEST_CASE("cables that are down are not drawn") {
  const std::string dot =
      topology_dot(cluster_of("{nodes: {type: dgx-h100, count: 2}, fabric: {kind: rail_optimized}}",
                              "link_down: [leaf-0 -> spine-0, node-0/nic-1]"),
                   {});
  CHECK(occurrences(dot, "penwidth=2.5") == 31);  // of 32 bundles
  CHECK(occurrences(dot, "penwidth=1.2") == 46);  // of 48 cables of nodes
}

TEST_CASE("2,048 nodes are drawn as a dozen boxes with counts") {
  const std::string dot = topology_dot(
      cluster_of("{nodes: {type: dgx-h100, count: 2048}, fabric: {kind: rail_optimized}}"), {});
  CHECK(dot.find("2,048 x dgx-h100\\n8 x H100-SXM5-80GB\\nNVSwitch, 370.8 GB/s a GPU\\n8 NICs") !=
        std::string::npos);
  CHECK(dot.find("512 spine switches") != std::string::npos);
  CHECK(dot.find("256 core switches") != std::string::npos);
  CHECK(occurrences(dot, "64 leaf switches\\nrail ") == 8);
  CHECK(dot.find("16,384 x 384 Gbit/s\\n  32 per spine switch\\n  64 per core switch") !=
        std::string::npos);
  CHECK(occurrences(dot, "fillcolor") == 1 + 8 + 1 + 1);
}

TEST_CASE("a scale unit that is not full is a box of its own") {
  // 40 nodes: 32 in the first unit, 8 in the second.
  const std::string dot = topology_dot(
      cluster_of("{nodes: {type: dgx-h100, count: 40}, fabric: {kind: rail_optimized}}"), {});
  CHECK(dot.find("32 x dgx-h100") != std::string::npos);
  CHECK(dot.find("8 x dgx-h100") != std::string::npos);
}

TEST_CASE("lines are coloured by load, and the legend says so") {
  const Cluster cluster =
      cluster_of("{nodes: {type: dgx-h100, count: 32}, fabric: {kind: rail_optimized}}");
  std::vector<double> load(cluster.link_count(), 0.1);
  // One direction of one uplink of rail 3 at 95 %: 255 others of that rail at 10 %.
  for (topology::LinkId id = 0; id < cluster.link_count(); ++id) {
    const topology::Link& link = cluster.link(id);
    if (cluster.device(link.to).kind != topology::DeviceKind::spine) continue;
    if (cluster.device(link.from).rail != 3) continue;
    load[id] = 0.95;
    break;
  }
  const std::string dot = topology_dot(cluster, load);
  CHECK(dot.find("line, by use of its busiest cable and direction") != std::string::npos);
  // 32 uplinks of a leaf: mean (31 x 10 + 95) / 32 = 12.7 %.
  CHECK(occurrences(dot, "95 %, mean 13 %") == 1);
  CHECK(occurrences(dot, "color=\"#b30000\"") == 1 + 1);  // the line and its legend
}

TEST_CASE("equal input gives equal text, and names cannot break it") {
  const std::string yaml =
      "nodes: {type: dgx-h100, count: 4, name: 'a\"b\\'}\nfabric: {kind: fat_tree}\n";
  const std::string dot = topology_dot(cluster_of(yaml), {});
  CHECK(dot == topology_dot(cluster_of(yaml), {}));
  CHECK(dot.find("label=\"a\\\"b\\\\-0\\n") != std::string::npos);
}

TEST_CASE("every kind of cluster is drawn with few boxes") {
  const std::string yaml = GENERATE(
      as<std::string>{}, "{nodes: {type: dgx-h100, count: 1}}",
      "{nodes: {type: gb200-tray, count: 144}, fabric: {kind: rail_optimized}}",
      "{nodes: {type: g6e.48xlarge, count: 300}, fabric: {kind: fat_tree}}",
      "{nodes: {type: mi300x-8, count: 100}, fabric: {kind: single_switch}}",
      "{nodes: {type: polaris, count: 500}, fabric: {kind: dragonfly, routers_per_group: 16, "
      "nodes_per_leaf: 4, global_links_per_router: 4}}");
  INFO(yaml);
  const std::string dot = topology_dot(cluster_of(yaml), {});
  CHECK(occurrences(dot, "fillcolor") >= 2);
  CHECK(occurrences(dot, "fillcolor") <= 36);
  CHECK(std::count(dot.begin(), dot.end(), '{') == std::count(dot.begin(), dot.end(), '}'));
}

}  // namespace
}  // namespace viz
