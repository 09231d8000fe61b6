// Cables that are down or degraded: which are meant, who goes around them, what is told.

#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"

namespace topology {
namespace {

/// Two nodes on eight rail leaves; each leaf has 32 uplinks, 8 to each of 4 spines.
const std::string rails = "nodes: {type: dgx-h100, count: 2}\nfabric: {kind: rail_optimized}\n";

Cluster built(const std::string& yaml, const std::string& network) {
  base::Result<Cluster> cluster = cluster_from(yaml, network);
  INFO((cluster ? "" : text_of(cluster.error())));
  REQUIRE(cluster);
  return std::move(*cluster);
}

/// Cables that are down; both directions of each must be.
int cables_down(const Cluster& cluster) {
  int count = 0;
  for (LinkId id = 0; id < cluster.link_count(); id += 2) {
    CHECK(cluster.link(id).down == cluster.link(id + 1).down);
    count += cluster.link(id).down ? 1 : 0;
  }
  return count;
}

TEST_CASE("a name means all cables of a device, or those between two") {
  struct Row {
    const char* network;
    int cables;
  };
  const Row row = GENERATE(values<Row>({
      {"link_down: node-0/nic-2", 2},  // to GPU and leaf
      {"link_down: node-0/gpu-1 -> node-0/nic-1", 1},
      {"link_down: leaf-0 -> spine-1", 8},
      {"link_down: spine-1 -> leaf-0", 8},  // the same cables
      {"link_down: 'leaf-0 -> spine-1 #3'", 1},
      {"link_down: ['leaf-0 -> spine-1 #3', 'spine-1 -> leaf-0 #3']", 1},
      {"link_down: spine-3", 64},
      {"link_down: leaf-* -> spine-3", 64},
      {"link_down: 'spine-* -> leaf-7 #1'", 4},  // the first to each of 4 spines
      {"link_down: [node-*/nic-0, node-1/nic-*0]", 4},
      {"link_down: [leaf-0, spine-0]", 2 + 32 + 64 - 8},
  }));
  INFO(row.network);
  CHECK(cables_down(built(rails, row.network)) == row.cables);
}

TEST_CASE("a degraded cable keeps the share that is told, the worst of several") {
  const Cluster cluster =
      built(rails,
            "link_degraded: {'leaf-*': 0.75, leaf-0 -> spine-0: 0.5, 'spine-0 -> leaf-0 #1': 0.8}");
  for (LinkId id = 0; id < cluster.link_count(); ++id) {
    const Link& link = cluster.link(id);
    CHECK(link.degraded == (name_of(cluster, id).find("leaf") != std::string::npos));
    CHECK_FALSE(link.down);
    if (name_of(cluster, id) == "leaf-0 -> spine-0") CHECK(link.rate.gbyte() == Approx(24));
    if (name_of(cluster, id) == "spine-1 -> leaf-0") CHECK(link.rate.gbyte() == Approx(36));
  }
  CHECK(text_of(cluster.notes()) ==
        "n.yaml:1:27: note: cables degraded: 272 (node-0/nic-0 -> leaf-0 to 75 %, node-0/nic-1 -> "
        "leaf-1 to 75 %, node-0/nic-2 -> leaf-2 to 75 %, node-0/nic-3 -> leaf-3 to 75 %, ...)\n");
}

TEST_CASE("a GPU whose NIC is down goes over the GPU that owns the next one") {
  const Cluster cluster = built(rails, "link_down: node-0/nic-7");
  CHECK(text_of(cluster.notes()) ==
        "n.yaml:1:12: note: cables down: 2 (node-0/gpu-7 -> node-0/nic-7, node-0/nic-7 -> leaf-7)\n"
        "n.yaml:1:12: note: GPUs that use another NIC of their node, for theirs is down: 1 "
        "(node-0/gpu-7)\n");
  // Without PXN: out of NIC 0, over a spine to rail 7.
  const Router plain(cluster, {.kind = Routing::adaptive, .pxn = false});
  const std::string text = routes_text(cluster, plain, 7, 15);
  CHECK(
      text.starts_with("node-0/gpu-7 -> node-0/nvswitch\nnode-0/nvswitch -> node-0/gpu-0\n"
                       "node-0/gpu-0 -> node-0/nic-0\nnode-0/nic-0 -> leaf-0\nleaf-0 -> spine-0"));
  CHECK(text.ends_with("leaf-7 -> node-1/nic-7\nnode-1/nic-7 -> node-1/gpu-7\n"));
  // Into it with PXN: its NIC is now number 0, so rail 0 it is.
  CHECK(routes_text(cluster, Router(cluster, {}), 15, 7) ==
        "node-1/gpu-7 -> node-1/nvswitch\nnode-1/nvswitch -> node-1/gpu-0\n"
        "node-1/gpu-0 -> node-1/nic-0\nnode-1/nic-0 -> leaf-0\nleaf-0 -> node-0/nic-0\n"
        "node-0/nic-0 -> node-0/gpu-0\nnode-0/gpu-0 -> node-0/nvswitch\n"
        "node-0/nvswitch -> node-0/gpu-7\n");
}

TEST_CASE("on PCIe another NIC is reached over the hub") {
  const Cluster cluster = built(
      "nodes: {node: {base: g5.48xlarge, nics: 2}, count: 2}\nfabric: {kind: single_switch}\n",
      "link_down: node-0/nic-0 -> switch");
  CHECK(routes_text(cluster, Router(cluster, {}), 0, 8) ==
        "node-0/gpu-0 -> node-0/pcie\nnode-0/pcie -> node-0/nic-1\nnode-0/nic-1 -> switch\n"
        "switch -> node-1/nic-0\nnode-1/nic-0 -> node-1/pcie\nnode-1/pcie -> node-1/gpu-0\n");
}

TEST_CASE("switches that are down are avoided, whatever the routing") {
  const Cluster cluster = built(
      "nodes: {type: dgx-h100, count: 64}\nfabric: {kind: rail_optimized}\n", "link_down: spine-3");
  const auto kind = GENERATE(Routing::ecmp, Routing::adaptive);
  const Router router(cluster, {.kind = kind});
  for (GpuId from = 0; from < 64; from += 8)
    CHECK(routes_text(cluster, router, from, 63 * 8).find("spine-3") == std::string::npos);
}

TEST_CASE("without spines, rails still join all GPUs") {
  // GPU 0 to GPU 11: by rail 3 with PXN; without, by the first NICs of both that meet.
  const Cluster cluster = built(rails, "link_down: spine-*");
  const auto pxn = GENERATE(true, false);
  const std::string text = routes_text(cluster, Router(cluster, {.pxn = pxn}), 0, 11);
  CHECK(text.find("spine") == std::string::npos);
  CHECK(text.ends_with("node-1/gpu-3\n"));
}

TEST_CASE("GPUs of one node whose NVLink is down meet over their NICs") {
  const Cluster cluster = built(rails, "link_down: node-0/nvswitch");
  const std::string text = routes_text(cluster, Router(cluster, {}), 0, 1);
  CHECK(text.starts_with("node-0/gpu-0 -> node-0/nic-0\nnode-0/nic-0 -> leaf-0\nleaf-0 -> spine"));
  CHECK(text.ends_with("leaf-1 -> node-0/nic-1\nnode-0/nic-1 -> node-0/gpu-1\n"));
}

TEST_CASE("mistakes in faults are told at their place") {
  struct Row {
    const char* network;
    const char* want;
  };
  const Row row = GENERATE(values<Row>({
      {"link_down: [leaf-0, node-0/nik-2]",
       "n.yaml:1:21: error: there is no device 'node-0/nik-2' in the cluster (did you mean "
       "'node-0/nic-2'?)\n"},
      {"link_down: nonsense-of-some-kind",
       "n.yaml:1:12: error: there is no device 'nonsense-of-some-kind' in the cluster (for example "
       "node-0/nic-0, leaf-0, or leaf-0 -> spine-1)\n"},
      {"link_down: node-*",  // a `*` does not pass a '/'
       "n.yaml:1:12: error: there is no device 'node-*' in the cluster (for example "
       "node-0/nic-0, leaf-0, or leaf-0 -> spine-1)\n"},
      {"link_down: leaf-0 -> spine-9",
       "n.yaml:1:12: error: there is no device 'spine-9' in the cluster (did you mean "
       "'spine-0'?)\n"},
      {"link_down: leaf-0 -> leaf-1", "n.yaml:1:12: error: no cable joins 'leaf-0' and 'leaf-1'\n"},
      {"link_down: 'leaf-0 -> spine-0 #9'",
       "n.yaml:1:12: error: there is no cable #9 between 'leaf-0' and 'spine-0' (they are numbered "
       "up to #8)\n"},
      {"link_down: 'leaf-0 -> spine-0 #x'",
       "n.yaml:1:12: error: '#x' is no number of a parallel cable (they count from #1)\n"},
      {"link_down: {leaf-0: 1}", "n.yaml:1:12: error: 'link_down' must be a list, but is a map\n"},
      {"link_degraded: {leaf-0: 0, leaf-1: 1, leaf-2: half}",
       "n.yaml:1:25: error: 'leaf-0' is 0, must be above 0 and below 1 (name it in 'link_down')\n"
       "n.yaml:1:36: error: 'leaf-1' is 1, must be above 0 and below 1 (it is the share of the "
       "rate left)\n"
       "n.yaml:1:47: error: 'leaf-2' is not a number: 'half'\n"},
      {"link_down: node-0/nic-*",
       "n.yaml:1:12: error: the cables that are down leave no path from node-0/gpu-0 to "
       "node-1/gpu-0 (every GPU must reach every other one)\n"},
      {"link_down: node-0/gpu-3",
       "n.yaml:1:12: error: the cables that are down leave no path from node-0/gpu-0 to "
       "node-0/gpu-3 (every GPU must reach every other one)\n"},
      {"link_down: [spine-0, leaf-*]",
       "n.yaml:1:13: error: the cables that are down leave no path from node-0/gpu-0 to "
       "node-1/gpu-0 (every GPU must reach every other one)\n"},
      {"routing: spray",
       "n.yaml:1:10: error: 'routing' is 'spray', must be one of ecmp, adaptive\n"},
      {"links_down: leaf-0",
       "n.yaml:1:1: error: unknown key 'links_down' (did you mean 'link_down'?)\n"},
  }));
  INFO(row.network);
  const base::Result<Cluster> cluster = cluster_from(rails, row.network);
  REQUIRE_FALSE(cluster);
  CHECK(text_of(cluster.error()) == row.want);
}

TEST_CASE("planes cut off from each other by two NICs are told") {
  const base::Result<Cluster> cluster = cluster_from(
      "nodes: {node: {base: dgx-h100, gpus: 2, nics: 1}, count: 2}\n"
      "fabric: {kind: fat_tree, nic_ports: 2, planes: 2}\n",
      "link_down: [node-0/nic-0 -> leaf-0, node-1/nic-0 -> leaf-1]");
  REQUIRE_FALSE(cluster);
  CHECK(text_of(cluster.error()) ==
        "n.yaml:1:13: error: the cables that are down leave no path from node-0/gpu-0 to "
        "node-1/gpu-0 (every GPU must reach every other one)\n");
}

}  // namespace
}  // namespace topology
