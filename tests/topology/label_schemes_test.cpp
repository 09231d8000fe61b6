#include "topology/label_schemes.hpp"

#include <set>

#include "tests/support/catch.hpp"
#include "tests/topology/k8s_dump.hpp"

namespace topology {
namespace {

using Labels = std::map<std::string, std::string>;
using Path = std::vector<std::string>;

TEST_CASE("every scheme is read from the far end to the near one") {
  struct Row {
    std::string scheme;
    Labels labels;
    Path path;
  };
  const Row row = GENERATE(values<Row>({
      {"topograph",
       {{"fabric.topograph.run/tier-0", "leaf"},
        {"fabric.topograph.run/tier-1", "spine"},
        {"fabric.topograph.run/tier-2", "core"},
        {"fabric.topograph.run/tier-10", "site"}},
       {"site", "core", "spine", "leaf"}},
      {"topograph-leaf",
       {{"network.topology.nvidia.com/leaf", "leaf"},
        {"network.topology.nvidia.com/spine", "spine"},
        {"network.topology.nvidia.com/core", "core"}},
       {"core", "spine", "leaf"}},
      {"topograph-block",
       {{"network.topology.nvidia.com/block", "leaf"},
        {"network.topology.nvidia.com/spine", "spine"},
        {"network.topology.nvidia.com/datacenter", "core"}},
       {"core", "spine", "leaf"}},
      {"aws",
       {{"topology.k8s.aws/network-node-layer-1", "nn-top"},
        {"topology.k8s.aws/network-node-layer-2", "nn-mid"},
        {"topology.k8s.aws/network-node-layer-3", "nn-low"}},
       {"nn-top", "nn-mid", "nn-low"}},
      {"gke",
       {{"cloud.google.com/gce-topology-block", "b"},
        {"cloud.google.com/gce-topology-subblock", "s"},
        {"cloud.google.com/gce-topology-host", "h"}},
       {"b", "s"}},
      {"gke-legacy", {{"topology.gke.io/cluster", "c"}, {"topology.gke.io/rack", "r"}}, {"c", "r"}},
      {"oci",
       {{"oci.oraclecloud.com/rdma.hpc_island_id", "7xmzl4p4wba"},
        {"oci.oraclecloud.com/rdma.network_block_id", "nb"},
        {"oci.oraclecloud.com/rdma.local_block_id", "lb"},
        {"oci.oraclecloud.com/rdma.host_id", "h"}},
       {"7xmzl4p4wba", "nb", "lb"}},
      {"coreweave-ib",
       {{"ib.coreweave.cloud/fabric", "f"},
        {"ib.coreweave.cloud/superpod", "3"},
        {"ib.coreweave.cloud/leafgroup", "5"},
        {"ib.coreweave.cloud/speed", "400G"}},
       {"f", "3", "5"}},
      {"volcano",
       {{"volcano.sh/hypercluster", "hc"}, {"volcano.sh/hypernode", "hn"}},
       {"hc", "hn"}},
      {"kubernetes",
       {{"topology.kubernetes.io/zone", "z"}, {"topology.kubernetes.io/rack", "r7"}},
       {"z", "r7"}},
  }));
  CAPTURE(row.scheme);
  const auto import = import_nodes({{"a", dgx(row.labels)}});
  REQUIRE(import);
  CHECK(import->scheme == row.scheme);
  CHECK(import->spec.fabric_from_domains);
  CHECK(import->spec.nodes[0].domains == row.path);
  CHECK(import->coverage.complete == 1);
}

TEST_CASE("64 nodes of the second Topograph generation become their tree of switches") {
  std::vector<FakeNode> nodes;
  for (int i = 0; i < 64; ++i)
    nodes.push_back({fmt::format("gpu-{}", i),
                     dgx({{"network.topology.nvidia.com/leaf", fmt::format("leaf-{}", i / 8)},
                          {"network.topology.nvidia.com/spine", fmt::format("spine-{}", i / 32)},
                          {"network.topology.nvidia.com/core", "core-0"}})});
  const auto import = import_nodes(nodes);
  REQUIRE(import);
  CHECK(import->coverage.complete == 64);
  CHECK(words_of(import->notes) ==
        "switches from the labels network.topology.nvidia.com/core (1), "
        "network.topology.nvidia.com/spine (2), network.topology.nvidia.com/leaf (8)\n");
  const auto cluster = build_cluster(import->spec, shipped_registry());
  REQUIRE(cluster);
  CHECK(cluster->gpu_count() == 512);
  CHECK(count_devices(*cluster, DeviceKind::leaf) == 8);
  CHECK(count_devices(*cluster, DeviceKind::spine) == 2);
  CHECK(count_devices(*cluster, DeviceKind::core) == 1);
}

TEST_CASE("names of schemes are unique and every scheme has levels") {
  std::set<std::string_view> names;
  for (const LabelScheme& scheme : label_schemes()) {
    CHECK(names.insert(scheme.name).second);
    CHECK(scheme.levels[0].empty() == (scheme.numbering != LabelScheme::Numbering::none));
  }
  CHECK(names.size() >= 10);
}

TEST_CASE("AWS machines with a fourth layer hang from it, others from the third") {
  const auto layers = [](int count) {
    Labels labels;
    for (int i = 1; i <= count; ++i)
      labels[fmt::format("topology.k8s.aws/network-node-layer-{}", i)] = fmt::format("nn-{}", i);
    return dgx(labels);
  };
  const auto import = import_nodes({{"a", layers(3)}, {"b", layers(4)}, {"c", layers(2)}});
  REQUIRE(import);
  CHECK(import->spec.nodes[0].domains == Path{"nn-1", "nn-2", "nn-3"});
  CHECK(import->spec.nodes[1].domains == Path{"nn-1", "nn-2", "nn-3", "nn-4"});
  CHECK(import->spec.nodes[2].domains == Path{"nn-1", "nn-2", ""});
  CHECK((import->coverage.complete == 2 && import->coverage.partial == 1));
  CHECK(import->notes.back().message ==
        "1 node without the label topology.k8s.aws/network-node-layer-3: c");
}

TEST_CASE("missing, empty and unknown labels are told with counts") {
  const auto levels = [](const std::string& spine, const std::string& leaf) {
    return dgx(
        {{"network.topology.nvidia.com/spine", spine}, {"network.topology.nvidia.com/leaf", leaf}});
  };
  const auto import = import_nodes({{"a", levels("s1", "l1")},
                                    {"b", levels("s1", "")},
                                    {"c", levels("unknown", "l1")},
                                    {"d", dgx()},
                                    {"e", levels("s2", "")}});
  REQUIRE(import);
  CHECK(import->spec.nodes[1].domains == Path{"s1", ""});
  CHECK(import->spec.nodes[2].domains == Path{"", "l1"});
  CHECK(import->spec.nodes[3].domains.empty());
  CHECK(import->coverage.complete == 1);
  CHECK(import->coverage.partial == 3);
  CHECK(import->coverage.absent == 1);
  CHECK(words_of(import->notes) ==
        "switches from the labels network.topology.nvidia.com/spine (2), "
        "network.topology.nvidia.com/leaf (2)\n"
        "warning: 2 nodes without the label network.topology.nvidia.com/leaf: b, e (hung from the "
        "levels they tell; label them and import again)\n"
        "warning: 1 node without the label network.topology.nvidia.com/spine: c (hung from the "
        "levels they tell; label them and import again)\n"
        "warning: 1 node without any of these labels: d (hung from the top switch; label them and "
        "import again)\n"
        "1 of 1 names of network.topology.nvidia.com/leaf occur under several parents; each place "
        "is taken as a switch of its own\n");
  CHECK(build_cluster(import->spec, shipped_registry()));
}

TEST_CASE("one name under two parents is two switches") {
  const auto place = [](const std::string& pod, const std::string& rack) {
    return dgx({{"topology.gke.io/cluster", pod}, {"topology.gke.io/rack", rack}});
  };
  const auto import = import_nodes(
      {{"a", place("p1", "asw-1")}, {"b", place("p2", "asw-1")}, {"c", place("p2", "asw-2")}});
  REQUIRE(import);
  REQUIRE(import->coverage.levels.size() == 2);
  CHECK(import->coverage.levels[1].domains == 3);
  const auto cluster = build_cluster(import->spec, shipped_registry());
  REQUIRE(cluster);
  CHECK(count_devices(*cluster, DeviceKind::leaf) == 3);
}

TEST_CASE("several schemes: the most complete one, and why") {
  const Labels aws{{"topology.k8s.aws/network-node-layer-1", "t"},
                   {"topology.k8s.aws/network-node-layer-2", "m"},
                   {"topology.k8s.aws/network-node-layer-3", "l"},
                   {"topology.kubernetes.io/zone", "z"}};
  Labels both = aws;
  both["fabric.topograph.run/tier-0"] = "leaf";
  both["fabric.topograph.run/tier-1"] = "spine";

  const auto partly = import_nodes({{"a", dgx(both)}, {"b", dgx(aws)}});
  REQUIRE(partly);
  CHECK(partly->scheme == "aws");
  CHECK(words_of(partly->notes) ==
        "switches from the labels topology.k8s.aws/network-node-layer-1 (1), "
        "topology.k8s.aws/network-node-layer-2 (1), topology.k8s.aws/network-node-layer-3 (1)\n"
        "3 label schemes found: topograph (1 node complete), aws (2 nodes complete), kubernetes (2 "
        "nodes complete); 'aws' is used: most nodes have all of its levels (choose another with "
        "the option scheme)\n");

  const auto full = import_nodes({{"a", dgx(both)}});
  REQUIRE(full);
  CHECK(full->scheme == "aws");
  CHECK(full->scheme_reason == "it has the most levels");
  both["fabric.topograph.run/tier-2"] = "core";
  CHECK(import_nodes({{"a", dgx(both)}})->scheme == "topograph");
  CHECK(import_nodes({{"a", dgx(both)}})->scheme_reason ==
        "equally complete, and it is the more specific one");

  const auto asked = import_nodes({{"a", dgx(both)}}, {.scheme = "aws"});
  REQUIRE(asked);
  CHECK(asked->scheme == "aws");
  CHECK(asked->scheme_reason == "it was asked for");
}

TEST_CASE("two Topograph generations that share a key are one finding") {
  const auto import = import_nodes({{"a", dgx({{"network.topology.nvidia.com/spine", "s"},
                                               {"network.topology.nvidia.com/leaf", "l"}})}});
  REQUIRE(import);
  CHECK(import->seen.size() == 1);
  CHECK(import->scheme == "topograph-leaf");
}

TEST_CASE("zones alone are no switches") {
  const auto one = import_nodes({{"a", dgx({{"topology.kubernetes.io/zone", "z"}})},
                                 {"b", dgx({{"topology.kubernetes.io/zone", "z"}})}});
  REQUIRE(one);
  CHECK_FALSE(one->spec.fabric_from_domains);
  CHECK(one->scheme.empty());
  CHECK(one->spec.nodes[0].domains.empty());
  CHECK(words_of(one->notes) ==
        "warning: the labels say nothing about switches; one switch that joins all 2 nodes is "
        "assumed (Topograph writes such labels; or describe the fabric in the cluster file)\n");

  const auto two = import_nodes({{"a", dgx({{"topology.kubernetes.io/zone", "z"}})},
                                 {"b", dgx({{"topology.kubernetes.io/zone", "y"}})}});
  REQUIRE(two);
  CHECK(two->spec.fabric_from_domains);
  CHECK(words_of(two->notes)
            .find("warning: 2 nodes spread over 2 zones, and no label says how "
                  "those are joined (choose one zone with the option selector)") !=
        std::string::npos);
}

TEST_CASE("without labels one switch is assumed, and labels nobody knows are named") {
  const auto none = import_nodes({{"a", dgx()}, {"b", dgx()}});
  REQUIRE(none);
  CHECK_FALSE(none->spec.fabric_from_domains);
  CHECK(none->notes[0].message ==
        "no node has topology labels; one switch that joins all 2 nodes is assumed");

  const std::vector<FakeNode> own{
      {"a", dgx({{"example.com/rack", "r1"}, {"example.com/row", "x"}})},
      {"b", dgx({{"example.com/rack", "r2"}, {"example.com/row", "x"}})}};
  const auto unknown = import_nodes(own);
  REQUIRE(unknown);
  CHECK(unknown->notes[0].hint ==
        "name them in the option levels if they tell switches: example.com/rack (2 nodes)");

  const auto named = import_nodes(own, {.levels = {"example.com/row", "example.com/rack"}});
  REQUIRE(named);
  CHECK(named->scheme == "own");
  CHECK(named->spec.nodes[1].domains == Path{"x", "r2"});

  const auto absent = import_nodes(own, {.levels = {"example.com/pod"}});
  REQUIRE(absent);
  CHECK(absent->notes[0].message ==
        "no node has the labels that were asked for; one switch that joins all 2 nodes is assumed");
}

TEST_CASE("NVLink domains come from cliques, and only where NVLink leaves the node") {
  const auto tray = [](const std::string& clique) {
    Labels labels{{"node.kubernetes.io/instance-type", "gb200-tray"},
                  {"network.topology.nvidia.com/leaf", "l"},
                  {"network.topology.nvidia.com/accelerator", "nvl-" + clique}};
    if (!clique.empty()) labels["nvidia.com/gpu.clique"] = "7b968a6d." + clique;
    return labels;
  };
  const std::string gpus = R"("nvidia.com/gpu":"4")";
  const auto import =
      import_nodes({{"a", tray("1"), gpus}, {"b", tray("1"), gpus}, {"c", tray("2"), gpus}});
  REQUIRE(import);
  CHECK(import->accelerator_key == "nvidia.com/gpu.clique");
  CHECK(import->spec.nodes[0].accelerator_domain == "7b968a6d.1");
  CHECK(import->spec.nodes[2].accelerator_domain == "7b968a6d.2");
  const auto cluster = build_cluster(import->spec, shipped_registry());
  REQUIRE(cluster);
  CHECK(cluster->same_scale_up_domain(0, 7));
  CHECK_FALSE(cluster->same_scale_up_domain(0, 8));

  const auto inside = import_nodes({{"a", dgx({{"nvidia.com/gpu.clique", "x.1"}})}});
  REQUIRE(inside);
  CHECK(inside->spec.nodes[0].accelerator_domain.empty());
  CHECK(inside->notes.back().message ==
        "1 node with the label nvidia.com/gpu.clique, but NVLink of dgx-h100 ends at the node; it "
        "is not used: a");

  std::vector<FakeNode> crowd;
  for (int i = 0; i < 19; ++i) crowd.push_back({fmt::format("t{}", i), tray("1"), gpus});
  crowd.push_back({"t19", {{"node.kubernetes.io/instance-type", "gb200-tray"}}, gpus});
  const auto crowded = import_nodes(crowd);
  REQUIRE(crowded);
  const std::string said = words_of(crowded->notes);
  CHECK(said.find("warning: 19 nodes in the NVLink domain '7b968a6d.1' of 19 nodes, where "
                  "gb200-tray has 18: t0, t1, t2, ...") != std::string::npos);
  CHECK(said.find("warning: 1 node of type gb200-tray without a label of their NVLink domain") !=
        std::string::npos);
}

}  // namespace
}  // namespace topology
