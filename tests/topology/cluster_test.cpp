#include "topology/cluster.hpp"

#include <fmt/format.h>

#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"
#include "topology/upgrade.hpp"

namespace topology {
namespace {

Cluster built(const std::string& yaml) {
  base::Result<Cluster> cluster = cluster_from(yaml);
  INFO((cluster ? "" : text_of(cluster.error())));
  REQUIRE(cluster);
  return std::move(*cluster);
}

std::string rail_optimized(int nodes) {
  return fmt::format(
      "nodes: {{type: dgx-h100, count: {}}}\n"
      "fabric: {{kind: rail_optimized, nodes_per_leaf: 32}}\n",
      nodes);
}

TEST_CASE("switches of a DGX SuperPOD are those of NVIDIA's reference architecture") {
  // 64-port switches, 32 down and 32 up. H100 architecture up to 127 nodes, B200 above; both have
  // units of 32 nodes and one 400 Gbit/s port a GPU. Leaf-spine cables: 32 for each leaf.
  // 95 nodes: 24 leaves x 32 = 768 cables need 12 spines of 64 ports, but 32 uplinks spread
  // evenly only over 16.
  struct Row {
    int nodes, leaves, spines, cores, leaf_spine;
  };
  const Row row = GENERATE(values<Row>({{31, 8, 4, 0, 256},
                                        {63, 16, 8, 0, 512},
                                        {95, 24, 16, 0, 768},
                                        {127, 32, 16, 0, 1024},
                                        {256, 64, 32, 0, 2048},
                                        {512, 128, 128, 64, 4096},
                                        {1024, 256, 256, 128, 8192}}));
  const Cluster cluster = built(rail_optimized(row.nodes));
  CHECK(cluster.gpu_count() == row.nodes * 8);
  CHECK(count_devices(cluster, DeviceKind::leaf) == row.leaves);
  CHECK(count_devices(cluster, DeviceKind::spine) == row.spines);
  CHECK(count_devices(cluster, DeviceKind::core) == row.cores);
  CHECK(count_cables(cluster, DeviceKind::nic, DeviceKind::leaf) == row.nodes * 8);
  CHECK(count_cables(cluster, DeviceKind::leaf, DeviceKind::spine) == row.leaf_spine);
  CHECK(count_cables(cluster, DeviceKind::spine, DeviceKind::core) ==
        (row.cores > 0 ? row.leaf_spine : 0));
}

TEST_CASE("rates and latencies of links are the usable ones of the node type") {
  const Cluster cluster = built(
      "nodes: {type: dgx-h100, count: 2}\n"
      "fabric: {kind: rail_optimized, switch_latency: 0.3 us, uplink_rate: 800 Gbit/s}\n");
  int seen = 0;
  for (LinkId id = 0; id < cluster.link_count(); ++id) {
    const Link& link = cluster.link(id);
    const DeviceKind from = cluster.device(link.from).kind;
    const DeviceKind to = cluster.device(link.to).kind;
    if (from == DeviceKind::gpu && to == DeviceKind::nvswitch) {
      // 18 links x 20.6 GB/s = 370.8 GB/s; half of the 3.4 us of an NVLink hop.
      CHECK(link.rate.gbyte() == Approx(370.8));
      CHECK(link.latency.us() == Approx(1.7));
    } else if (from == DeviceKind::gpu && to == DeviceKind::nic) {
      CHECK(link.rate.gbyte() == Approx(48));
    } else if (from == DeviceKind::nic && to == DeviceKind::leaf) {
      // 400 Gbit/s = 50 GB/s, of which 12 / 12.5 = 0.96 are payload.
      CHECK(link.rate.gbyte() == Approx(48));
      CHECK(link.latency.us() == Approx(7));
      CHECK(link.rail == cluster.device(link.from).rail);
      CHECK(cluster.device(link.to).rail == link.rail);
    } else if (from == DeviceKind::leaf && to == DeviceKind::spine) {
      CHECK(link.rate.gbyte() == Approx(96));
      CHECK(link.latency.us() == Approx(0.3));
    } else {
      continue;
    }
    ++seen;
  }
  // Per GPU three cables; uplinks: 42 nodes of 400 fill 64 ports with 21 of 800 Gbit/s (42.67 is
  // rounded down), on each of 8 leaves.
  CHECK(seen == 3 * 16 + 8 * 21);
}

TEST_CASE("oversubscription takes uplinks away") {
  // 32 NICs down at 4:1 leave 8 uplinks; 4 leaves x 8 = 32 cables fit one 64-port spine, and 8
  // uplinks are a multiple of 1.
  const Cluster cluster = built(
      "nodes: {type: dgx-h100, count: 16}\n"
      "fabric: {kind: fat_tree, nodes_per_leaf: 4, oversubscription: 4}\n");
  CHECK(count_devices(cluster, DeviceKind::leaf) == 4);
  CHECK(count_devices(cluster, DeviceKind::spine) == 1);
  CHECK(count_cables(cluster, DeviceKind::leaf, DeviceKind::spine) == 32);
}

TEST_CASE("a pod of 3,072 GPUs behind a core with 7:1") {
  // Llama 3: racks of two servers; here 4 racks a pod, 4 pods, 8 spines given to each pod.
  // Leaf: 16 down, 16 up, two to each of 8 spines. Spine: 4 x 2 = 8 down, ceil(8 / 7) = 2 up.
  // Cores of group i: 4 pods x 2 cables, one switch. 8 groups.
  const Cluster cluster = built(
      "nodes: {type: dgx-h100, count: 32}\n"
      "fabric: {kind: fat_tree, nodes_per_leaf: 2, leaves_per_pod: 4, spines: 8, "
      "core_oversubscription: 7}\n");
  CHECK(count_devices(cluster, DeviceKind::leaf) == 16);
  CHECK(count_devices(cluster, DeviceKind::spine) == 32);
  CHECK(count_devices(cluster, DeviceKind::core) == 8);
  CHECK(count_cables(cluster, DeviceKind::leaf, DeviceKind::spine) == 16 * 16);
  CHECK(count_cables(cluster, DeviceKind::spine, DeviceKind::core) == 32 * 2);
}

TEST_CASE("a dragonfly joins every pair of groups") {
  // 4 nodes of 2 NICs a router, 3 routers a group: 12 nodes a group, 36 nodes are 3 groups.
  // 3 x 2 = 6 global links a group over 2 peers are 3 a pair: 9 in all. Local: 3 pairs a group.
  const Cluster cluster = built(
      "nodes: {type: polaris, count: 36}\n"
      "fabric: {kind: dragonfly, nodes_per_leaf: 4, routers_per_group: 3, "
      "global_links_per_router: 2}\n");
  CHECK(count_devices(cluster, DeviceKind::leaf) == 9);
  CHECK(count_cables(cluster, DeviceKind::leaf, DeviceKind::leaf) == 9 + 9);
  for (DeviceId id = 0; id < cluster.device_count(); ++id) {
    if (cluster.device(id).kind != DeviceKind::leaf) continue;
    int ports = 0;
    for (LinkId link = 0; link < cluster.link_count(); ++link)
      ports += cluster.link(link).from == id ? 1 : 0;
    CHECK(ports == 8 + 2 + 2);  // NICs, peers in the group, global
  }
}

TEST_CASE("NVL72: 18 trays share one NVSwitch") {
  const Cluster cluster =
      built("nodes: {type: gb200-tray, count: 20}\nfabric: {kind: rail_optimized}\n");
  CHECK(cluster.gpu_count() == 80);
  CHECK(count_devices(cluster, DeviceKind::nvswitch) == 2);
  CHECK(cluster.same_scale_up_domain(0, 71));
  CHECK_FALSE(cluster.same_scale_up_domain(71, 72));
  CHECK(text_of(cluster.notes()) ==
        "c.yaml:2:9: note: nodes grouped into NVLink domains by their order: 20\n");
}

TEST_CASE("fewer usable GPUs, mixed types and a custom node") {
  const Cluster cluster = built(
      "nodes:\n"
      "  - {type: dgx-h100, count: 2, usable_gpus: 6}\n"
      "  - {node: {base: dgx-a100, nics: 4, nic_rate: 400 Gbit/s}, count: 1, name: odd}\n"
      "fabric: {kind: single_switch}\n");
  CHECK(cluster.gpu_count() == 6 + 6 + 8);
  CHECK(count_devices(cluster, DeviceKind::nic) == 8 + 8 + 4);
  CHECK(cluster.nodes()[2].name == "odd-2");
  CHECK(cluster.nodes()[2].first_gpu == 12);
  CHECK(cluster.gpu_spec(0).name == "H100-SXM5-80GB");
  CHECK(cluster.gpu_spec(12).name == "A100-SXM4-40GB");
  CHECK(text_of(cluster.notes()) ==
        "c.yaml:4:9: note: node types are mixed (custom dgx-a100, dgx-h100): a step is as fast as "
        "its slowest rank\n"
        "c.yaml:4:9: note: nodes with fewer usable GPUs than their type has: 2 of 3\n");
}

ClusterSpec by_domains(const std::vector<std::vector<std::string>>& paths) {
  ClusterSpec spec;
  spec.fabric_from_domains = true;
  const NodeType* type = shipped_registry()->find_node("dgx-h100");
  for (const auto& path : paths)
    spec.nodes.push_back({fmt::format("n{}", spec.nodes.size()), type, path, "", type->gpus});
  return spec;
}

TEST_CASE("domain paths: equal names under different parents are different switches") {
  const base::Result<Cluster> cluster = build_cluster(
      by_domains({{"r", "a", "leaf"}, {"r", "a", "leaf"}, {"r", "b", "leaf"}}), shipped_registry());
  REQUIRE(cluster);
  CHECK(count_devices(*cluster, DeviceKind::leaf) == 2);
  CHECK(count_devices(*cluster, DeviceKind::spine) == 2);
  CHECK(count_devices(*cluster, DeviceKind::core) == 1);
  // Leaf of two nodes: 16 NICs x 48 GB/s up. The other: 8 x 48.
  std::vector<double> up;
  for (LinkId id = 0; id < cluster->link_count(); ++id) {
    const Link& link = cluster->link(id);
    if (cluster->device(link.from).kind == DeviceKind::leaf &&
        cluster->device(link.to).kind == DeviceKind::spine)
      up.push_back(link.rate.gbyte());
  }
  REQUIRE(up.size() == 2);
  CHECK(std::max(up[0], up[1]) == Approx(16 * 48.0));
  CHECK(std::min(up[0], up[1]) == Approx(8 * 48.0));
}

TEST_CASE("domain paths of all shapes become one connected tree, with notes") {
  const base::Result<Cluster> cluster = build_cluster(
      by_domains({{"r", "a", "x"}, {"r", "b"}, {"s", "", "y"}, {}}), shipped_registry());
  REQUIRE(cluster);
  CHECK(text_of(cluster->notes()) ==
        "cluster: note: domains say nothing about rates: uplinks are assumed to carry what the "
        "NICs below do, divided by 1\n"
        "cluster: note: the network has 2 roots: a core switch is assumed above them\n"
        "cluster: note: domain paths have 2 to 3 levels\n"
        "cluster: note: nodes whose domain path lacks a middle level: 1; they hang from the levels "
        "they have\n"
        "cluster: note: nodes without a domain: 1; they hang from the top switch\n");
  // r, r/a, r/a/x, r/b, s, s/y and the core.
  CHECK(count_devices(*cluster, DeviceKind::leaf) + count_devices(*cluster, DeviceKind::spine) +
            count_devices(*cluster, DeviceKind::core) ==
        7);
}

TEST_CASE("accelerator domains group trays that say so") {
  const NodeType* tray = shipped_registry()->find_node("gb200-tray");
  ClusterSpec spec;
  for (int i = 0; i < 20; ++i)
    spec.nodes.push_back({fmt::format("t{}", i), tray, {}, i % 2 == 0 ? "even" : "odd", 4});
  spec.nodes[1].accelerator_domain = "even";
  const base::Result<Cluster> cluster = build_cluster(spec, shipped_registry());
  REQUIRE(cluster);
  CHECK(cluster->nodes()[0].accelerator_domain == cluster->nodes()[2].accelerator_domain);
  CHECK(cluster->nodes()[0].accelerator_domain == cluster->nodes()[1].accelerator_domain);
  CHECK(cluster->nodes()[0].accelerator_domain != cluster->nodes()[3].accelerator_domain);
  CHECK(cluster->notes().empty());

  for (NodeSpec& node : spec.nodes) node.accelerator_domain = "all";
  const base::Result<Cluster> large = build_cluster(spec, shipped_registry());
  REQUIRE(large);
  CHECK(text_of(large->notes()) ==
        "cluster: note: accelerator domain 'all' has 20 nodes, but NVLink of a gb200-tray joins 18 "
        "at most\n");
}

TEST_CASE("a spec from elsewhere is checked as well") {
  const NodeType* type = shipped_registry()->find_node("dgx-h100");
  const auto problems = [](const ClusterSpec& spec) {
    const base::Result<Cluster> cluster = build_cluster(spec, shipped_registry());
    return cluster ? std::string("no mistake") : text_of(cluster.error());
  };
  ClusterSpec spec;
  CHECK(problems(spec) == "cluster: error: the cluster has no nodes\n");
  spec.nodes = {{"a", type, {}, "", 8}, {"a", nullptr, {}, "", 8}, {"b", type, {}, "", 9}};
  CHECK(problems(spec) ==
        "cluster: error: two nodes are named 'a'\n"
        "cluster: error: node 'a' has no type\n"
        "cluster: error: node 'b' has 9 usable GPUs, but a dgx-h100 has 0 to 8\n");
  spec.nodes = {{"a", type, {}, "", 0}};
  CHECK(problems(spec) == "cluster: error: no node has a usable GPU\n");
  NodeType odd = *type;
  odd.name = "odd";
  odd.gpu = "H101-SXM5-80GB";
  odd.nic_rate = {};
  spec.nodes = {{"a", &odd, {}, "", 8}};
  CHECK(problems(spec) ==
        "cluster: error: node type 'odd' has the unknown GPU 'H101-SXM5-80GB' (did you mean "
        "'H100-SXM5-80GB'?)\n"
        "cluster: error: NICs of node type 'odd' have no rate\n");
  spec.nodes = {{"a", type, {}, "", 8}};
  spec.fabric.oversubscription = 0;
  spec.fabric.switch_ports = 1 << 30;
  CHECK(problems(spec) ==
        "cluster: error: 'oversubscription' is 0, must be at least 1\n"
        "cluster: error: 'switch_ports' is 1073741824, must be at most 4096\n");
}

TEST_CASE("a domain tree with real cables") {
  // Two leaves with 16 and 8 NICs of 400 Gbit/s, uplinks of 800 at 2:1: 4 and 2 cables.
  ClusterSpec spec = by_domains({{"r", "a"}, {"r", "a"}, {"r", "b"}});
  spec.fabric.uplink_rate = base::BytesPerSecond::from_gbit(800);
  spec.fabric.oversubscription = 2;
  const base::Result<Cluster> cluster = build_cluster(spec, shipped_registry());
  REQUIRE(cluster);
  CHECK(count_cables(*cluster, DeviceKind::leaf, DeviceKind::spine) == 6);
  spec.fabric.uplink_rate = base::BytesPerSecond::from_byte(1);
  CHECK_FALSE(build_cluster(spec, shipped_registry()));
}

TEST_CASE("mistakes in a cluster are told at their place") {
  struct Row {
    const char* yaml;
    const char* want;
  };
  const Row row = GENERATE(values<Row>({
      {"fabric: {kind: fat_tree}\n", "c.yaml:1:1: error: 'nodes' is missing\n"},
      {"nodes: []\n", "c.yaml:1:1: error: the cluster has no nodes\n"},
      {"nodes: {type: dgx-h10, count: 1}\n",
       "c.yaml:1:15: error: unknown node type 'dgx-h10' (did you mean 'dgx-h100'?)\n"},
      {"nodes: {type: dgx-h100}\n", "c.yaml:1:8: error: 'nodes.count' is missing\n"},
      {"nodes: {type: dgx-h100, count: 0}\n",
       "c.yaml:1:32: error: 'count' is 0, must be at least 1\n"},
      {"nodes: {type: dgx-h100, count: 70000}\n",
       "c.yaml:1:32: error: 'count' is 70000, must be at most 65536\n"},
      {"nodes: {type: dgx-h100, count: 1, usable_gpus: 9}\n",
       "c.yaml:1:48: error: 'usable_gpus' is 9, must be at most 8\n"},
      {"nodes: {type: dgx-h100, count: 1, gpus: 8}\n",
       "c.yaml:1:35: error: unknown key 'gpus' (known: node, type, count, usable_gpus, name)\n"},
      {"nodes: {node: {base: dgx-h100, gpu: H100-SXM5-80GBB}, count: 1}\n",
       "c.yaml:1:37: error: unknown GPU 'H100-SXM5-80GBB' (did you mean '"
       "H100-SXM5-80GB'?)\n"},
      {"nodes: {type: dgx-h100, node: {base: dgx-h100}, count: 1}\n",
       "c.yaml:1:31: error: a pool has either 'type' or 'node', not both ('node: {base: ...}' "
       "changes a known type)\n"},
      {"nodes: {node: {base: dgx-h100, nics: 0}, count: 2}\n",
       "c.yaml:1:1: error: node 'node-0' of type 'custom dgx-h100' has no NIC to reach the other "
       "nodes (set 'nics' and 'nic_rate')\n"
       "c.yaml:1:1: error: node 'node-1' of type 'custom dgx-h100' has no NIC to reach the other "
       "nodes (set 'nics' and 'nic_rate')\n"},
      {"nodes: {type: dgx-h100, count: 2}\nfabric: {kind: rail}\n",
       "c.yaml:2:16: error: 'kind' is 'rail', must be one of rail_optimized, fat_tree, "
       "single_switch, dragonfly\n"},
      {"nodes: {type: dgx-h100, count: 2}\nfabric: {kind: fat_tree, oversubscription: 0.5}\n",
       "c.yaml:2:44: error: 'oversubscription' is 0.5, must be at least 1\n"},
      {"nodes: {type: dgx-h100, count: 2}\nfabric: {kind: single_switch, spines: 4}\n",
       "c.yaml:2:39: error: 'spines' has no meaning in a single_switch fabric\n"},
      {"nodes: {type: dgx-h100, count: 64}\nfabric: {kind: fat_tree, nodes_per_leaf: 32}\n",
       "c.yaml:2:9: error: a leaf needs 256 ports to NICs and 256 to spines, but 'switch_ports' is "
       "64 (lower 'nodes_per_leaf', or raise 'switch_ports' or 'oversubscription')\n"},
      {"nodes: {type: dgx-h100, count: 64}\nfabric: {kind: rail_optimized, spines: 64}\n",
       "c.yaml:2:9: error: 'spines' is 64, but a leaf has 32 uplinks (a leaf needs a cable to each "
       "spine; use 'leaves_per_pod' for a third level)\n"},
      {"nodes: {type: dgx-h100, count: 64}\nfabric: {kind: rail_optimized, spines: 2}\n",
       "c.yaml:2:9: error: 16 leaves with 32 uplinks need 256 ports on each of 2 spines, but "
       "'switch_ports' is 64 (raise 'spines')\n"},
      {"nodes: {type: dgx-h100, count: 99}\nfabric: {kind: rail_optimized, leaves_per_pod: 99}\n",
       "c.yaml:2:9: error: a pod of 99 leaves with 32 uplinks each is too large for spines of 64 "
       "ports ('leaves_per_pod' can be 32 at most)\n"},
      {"nodes: {type: dgx-h100, count: 99}\nfabric: {kind: rail_optimized, uplink_rate: 1 "
       "Mbit/s}\n",
       "c.yaml:2:9: error: a leaf needs 1 ports to NICs and 400000 to spines, but 'switch_ports' "
       "is 64 (lower 'nodes_per_leaf', or raise 'switch_ports' or 'oversubscription')\n"},
      {"nodes: {type: dgx-h100, count: 50000}\nfabric: {kind: fat_tree, nodes_per_leaf: 1, "
       "switch_ports: 4096, uplink_rate: 1 Gbit/s}\n",
       "c.yaml:2:9: error: the fabric would have 160000000 cables between switches, more than "
       "4000000 (are 'uplink_rate' and the numbers of switches as meant?)\n"},
      {"nodes: {type: polaris, count: 2}\nfabric: {kind: dragonfly, routers_per_group: 4000, "
       "switch_ports: 4096}\n",
       "c.yaml:2:9: error: the fabric would have 7998000 cables between switches, more than "
       "4000000 (are 'uplink_rate' and the numbers of switches as meant?)\n"},
      {"nodes: {node: {base: dgx-h100, gpus: 1024}, count: 2000}\n",
       "c.yaml:1:1: error: the cluster has 2048000 GPUs, more than 1048576\n"},
      {"nodes: {type: polaris, count: 64}\nfabric: {kind: dragonfly}\n",
       "c.yaml:2:9: error: a dragonfly needs 'routers_per_group'\n"},
      {"nodes: {type: polaris, count: 640}\n"
       "fabric: {kind: dragonfly, routers_per_group: 2, nodes_per_leaf: 8, "
       "global_links_per_router: 4}\n",
       "c.yaml:2:9: error: 40 groups need 39 global links each, but 2 routers with 4 have 8 (raise "
       "'global_links_per_router', 'routers_per_group' or 'nodes_per_leaf')\n"},
  }));
  INFO(row.yaml);
  const base::Result<Cluster> cluster = cluster_from(row.yaml);
  REQUIRE_FALSE(cluster);
  CHECK(text_of(cluster.error()) == row.want);
}

TEST_CASE("faster links are those that are chosen, all else stays") {
  const Cluster before = built(rail_optimized(2));
  const Cluster after =
      with_faster_links(before, 2, [&](const Link& link) { return !is_scale_up(before, link); });
  REQUIRE(after.link_count() == before.link_count());
  int faster = 0;
  for (LinkId id = 0; id < before.link_count(); ++id) {
    const Link& was = before.link(id);
    const Link& is = after.link(id);
    CHECK((is.from == was.from && is.to == was.to && is.latency == was.latency));
    const double factor = is_scale_up(before, was) ? 1 : 2;
    CHECK(is.rate.byte() == factor * was.rate.byte());
    faster += factor > 1 ? 1 : 0;
  }
  // 16 GPUs, a PCIe cable to the NIC of each and one from there to a leaf, both directions; and
  // those between leaves and spines.
  CHECK(faster >= 2 * 16 * 2);
  CHECK(faster < static_cast<int>(before.link_count()));
  CHECK(after.gpu_spec(0).memory == before.gpu_spec(0).memory);
}

}  // namespace
}  // namespace topology
