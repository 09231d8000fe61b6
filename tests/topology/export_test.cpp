#include <fstream>
#include <random>

#include "tests/topology/cluster_shapes.hpp"
#include "tests/topology/import_support.hpp"
#include "topology/export/format.hpp"
#include "topology/import/fabric_shape.hpp"

namespace topology {
namespace {

const ExportFormat& export_format(std::string_view name) {
  const auto formats = export_formats();
  const auto found = std::find_if(formats.begin(), formats.end(),
                                  [&](const ExportFormat& f) { return f.name == name; });
  REQUIRE(found != formats.end());
  return *found;
}

std::string written_as(std::string_view format, const FoundCluster& cluster) {
  const auto out = export_format(format).write(cluster);
  return out ? out->text : text_of(out.error());
}

std::string notes_as(std::string_view format, const FoundCluster& cluster) {
  const auto out = export_format(format).write(cluster);
  return out ? text_of(out->notes) : text_of(out.error());
}

/// Two racks of two nodes below one spine and a node of its own beside them, in two NVLink domains.
FoundCluster small_cluster() {
  FoundCluster cluster;
  cluster.sources.push_back({"made up", "c", ""});
  cluster.levels = {"example.com/spine", "example.com/rack"};
  const auto add = [&](const char* name, const char* spine, const char* rack, const char* domain) {
    FoundNode node;
    node.name = name;
    node.domains = {spine, rack};
    node.accelerator_domain = domain;
    node.where = {"c", static_cast<int>(cluster.nodes.size()) + 1, 1};
    cluster.nodes.push_back(node);
  };
  add("n10", "s", "r2", "B");
  add("n1", "s", "r1", "A");
  add("n2", "s", "r1", "A");
  add("n9", "s", "r2", "B");
  add("x", "s", "", "");
  return cluster;
}

TEST_CASE("a small cluster in every format") {
  const FoundCluster cluster = small_cluster();
  CHECK(written_as("slurm-tree", cluster) ==
        "SwitchName=s Switches=r[1-2],s.nodes\n"
        "SwitchName=r1 Nodes=n[1-2]\n"
        "SwitchName=r2 Nodes=n[9-10]\n"
        "SwitchName=s.nodes Nodes=x\n");
  CHECK(notes_as("slurm-tree", cluster) ==
        "c:2:1: note: 1 switches have nodes beside other switches; these nodes are written below a "
        "switch NAME.nodes of their own\n"
        "c:2:1: note: known and not written, as the format has no place for it: nodes' NVLink "
        "domains (4)\n");
  // Blocks of 2 and 2 nodes: sizes 2 and 4 = 2 * 2^floor(log2 2).
  CHECK(written_as("slurm-block", cluster) ==
        "BlockName=A Nodes=n[1-2]\nBlockName=B Nodes=n[9-10]\nBlockSizes=2,4\n");
  CHECK(written_as("slurm-yaml", cluster) ==
        "---\n"
        "- topology: tree\n"
        "  cluster_default: true\n"
        "  tree:\n"
        "    switches:\n"
        "      - switch: \"s\"\n"
        "        children: \"r[1-2],s.nodes\"\n"
        "      - switch: \"r1\"\n"
        "        nodes: \"n[1-2]\"\n"
        "      - switch: \"r2\"\n"
        "        nodes: \"n[9-10]\"\n"
        "      - switch: \"s.nodes\"\n"
        "        nodes: \"x\"\n"
        "- topology: block\n"
        "  cluster_default: false\n"
        "  block:\n"
        "    block_sizes: [2, 4]\n"
        "    blocks:\n"
        "      - block: \"A\"\n"
        "        nodes: \"n[1-2]\"\n"
        "      - block: \"B\"\n"
        "        nodes: \"n[9-10]\"\n");
  CHECK(written_as("kueue", cluster) ==
        "apiVersion: kueue.x-k8s.io/v1beta2\n"
        "kind: Topology\n"
        "metadata:\n"
        "  name: default\n"
        "spec:\n"
        "  levels:\n"
        "    - nodeLabel: \"example.com/spine\"\n"
        "    - nodeLabel: \"example.com/rack\"\n"
        "    - nodeLabel: \"kubernetes.io/hostname\"\n");
  CHECK(notes_as("kueue", cluster) ==
        "c: warning: 1 nodes lack a label of some level: Kueue leaves them out\n"
        "c: note: only the levels are written: the domains are the nodes' labels\n");
  CHECK(written_as("topograph-graph", cluster) ==
        "{\"instances\":[\n"
        "{\"id\":\"n1\",\"network_layers\":[\"r1\",\"s\"],"
        "\"labels\":{\"accelerator.topograph.run/domain\":\"A\"}},\n"
        "{\"id\":\"n2\",\"network_layers\":[\"r1\",\"s\"],"
        "\"labels\":{\"accelerator.topograph.run/domain\":\"A\"}},\n"
        "{\"id\":\"n9\",\"network_layers\":[\"r2\",\"s\"],"
        "\"labels\":{\"accelerator.topograph.run/domain\":\"B\"}},\n"
        "{\"id\":\"n10\",\"network_layers\":[\"r2\",\"s\"],"
        "\"labels\":{\"accelerator.topograph.run/domain\":\"B\"}},\n"
        "{\"id\":\"x\",\"network_layers\":[\"s\"]}\n"
        "]}\n");
  CHECK(written_as("topograph", cluster) ==
        "switches:\n"
        "  \"s\":\n"
        "    switches: [\"r1\", \"r2\", \"s.nodes\"]\n"
        "  \"r1\":\n"
        "    switches: []\n"
        "  \"r2\":\n"
        "    switches: []\n"
        "  \"s.nodes\":\n"
        "    switches: []\n"
        "blocks:\n"
        "  - switch: \"r1\"\n"
        "    nodes: [\"n[1-2]\"]\n"
        "    annotations:\n"
        "      accelerator.topology.test/domain: \"A\"\n"
        "  - switch: \"r2\"\n"
        "    nodes: [\"n[9-10]\"]\n"
        "    annotations:\n"
        "      accelerator.topology.test/domain: \"B\"\n"
        "  - switch: \"s.nodes\"\n"
        "    nodes: [\"x\"]\n");
  CHECK(written_as("hostlist", cluster) == "n[1-2,9-10],x\n");
}

TEST_CASE("a HyperNode of Volcano is written for each switch") {
  FoundCluster cluster = small_cluster();
  cluster.nodes.resize(3);
  cluster.nodes[0].domains[1] = "Rack_2";
  CHECK(written_as("volcano", cluster) ==
        "---\napiVersion: topology.volcano.sh/v1alpha1\nkind: HyperNode\nmetadata:\n"
        "  name: \"s\"\nspec:\n  tier: 2\n  members:\n"
        "    - type: HyperNode\n      selector:\n        exactMatch:\n          name: \"r1\"\n"
        "    - type: HyperNode\n      selector:\n        exactMatch:\n          name: \"rack-2\"\n"
        "---\napiVersion: topology.volcano.sh/v1alpha1\nkind: HyperNode\nmetadata:\n"
        "  name: \"r1\"\nspec:\n  tier: 1\n  members:\n"
        "    - type: Node\n      selector:\n        exactMatch:\n          name: \"n1\"\n"
        "    - type: Node\n      selector:\n        exactMatch:\n          name: \"n2\"\n"
        "---\napiVersion: topology.volcano.sh/v1alpha1\nkind: HyperNode\nmetadata:\n"
        "  name: \"rack-2\"\nspec:\n  tier: 1\n  members:\n"
        "    - type: Node\n      selector:\n        exactMatch:\n          name: \"n10\"\n");
}

TEST_CASE("block sizes follow from the blocks as Topograph infers them") {
  struct Row {
    std::vector<std::vector<int>> domains;  ///< nodes of each part of each domain
    const char* want;
  };
  const Row row = GENERATE(values<Row>({
      {{{18}, {18}, {18}, {18}}, "BlockSizes=18,36,72"},
      // Unequal blocks, as Azure has them: the smallest counts, 8 * 2^floor(log2 4).
      {{{18}, {16}, {8}, {9}}, "BlockSizes=8,16,32"},
      {{{18}, {18}, {18}}, "BlockSizes=18,36"},
      {{{4}}, "BlockSizes=4"},
      // Parts of 8: the largest part, and that doubled until it holds the largest domain of 48.
      {{{8, 8, 8, 8, 8, 8}, {8, 8}}, "BlockSizes=8,64"},
  }));
  FoundCluster cluster;
  for (std::size_t d = 0; d < row.domains.size(); ++d)
    for (std::size_t p = 0; p < row.domains[d].size(); ++p)
      for (int i = 0; i < row.domains[d][p]; ++i) {
        FoundNode node;
        node.name = fmt::format("n{}", cluster.nodes.size());
        node.accelerator_domain = fmt::format("nvl{}", d);
        if (row.domains[d].size() > 1) node.accelerator_partition = fmt::format("{}", p);
        cluster.nodes.push_back(node);
      }
  const std::string text = written_as("slurm-block", cluster);
  INFO(text);
  CHECK(text.find(std::string(row.want) + "\n") != std::string::npos);
}

TEST_CASE("rails and parallel spines are written as the tree of what they reach") {
  // 4 nodes, 2 rails a pair of nodes, 2 spines above all.
  FoundCluster cluster;
  cluster.sources.push_back({"made up", "c", ""});
  for (int i = 0; i < 4; ++i) {
    FoundNode node;
    node.name = fmt::format("n{}", i);
    node.where = {"c", i + 1, 1};
    cluster.nodes.push_back(node);
  }
  for (const char* name : {"leaf-0", "leaf-1", "leaf-2", "leaf-3", "spine-0", "spine-1", "store"}) {
    FoundSwitch made;
    made.id = made.name = name;
    made.where = {"c", 9, 1};
    if (made.name == "store") made.role = FabricRole::storage;
    cluster.switches.push_back(made);
  }
  using At = CableEnd::At;
  for (std::size_t node = 0; node < 4; ++node) {
    for (std::size_t rail = 0; rail < 2; ++rail)
      cluster.cables.push_back(
          {{At::node, node, "", ""}, {At::fabric_switch, node / 2 * 2 + rail, "", ""}});
    cluster.cables.push_back({{At::fabric_switch, 6, "", ""}, {At::node, node, "", ""}});
  }
  for (std::size_t leaf = 0; leaf < 4; ++leaf)
    for (std::size_t spine = 4; spine < 6; ++spine)
      cluster.cables.push_back(
          {{At::fabric_switch, leaf, "", ""}, {At::fabric_switch, spine, "", ""}});
  find_tiers(cluster, {"c"});
  CHECK(written_as("slurm-tree", cluster) ==
        "SwitchName=spine-0 Switches=leaf-[0,2]\n"
        "SwitchName=leaf-0 Nodes=n[0-1]\n"
        "SwitchName=leaf-2 Nodes=n[2-3]\n");
  CHECK(notes_as("slurm-tree", cluster) ==
        "c:9:1: note: 3 times switches that reach the same nodes are written as one (first: leaf-0 "
        "for 2 of them)\n"
        "c:1:1: note: known and not written, as the format has no place for it: cables (20)\n");
}

TEST_CASE("names used again elsewhere, and long ones, are made unique") {
  FoundCluster cluster;
  cluster.sources.push_back({"made up", "c", ""});
  cluster.levels = {"psw", "asw"};
  for (int i = 0; i < 4; ++i) {
    FoundNode node;
    node.name = fmt::format("n{}", i);
    node.where = {"c", i + 1, 1};
    node.domains = {i < 2 ? "P1" : std::string(70, 'P'), i == 1 ? "S2" : "S1"};
    cluster.nodes.push_back(node);
  }
  const std::string text = written_as("slurm-tree", cluster);
  INFO(text);
  CHECK(
      text.starts_with("SwitchName=P1 Switches=P1.S1,S2\n"
                       "SwitchName=P1.S1 Nodes=n0\n"
                       "SwitchName=S2 Nodes=n1\n"
                       "SwitchName=" +
                       std::string(54, 'P') + "-x"));
  CHECK(notes_as("slurm-tree", cluster).find("3 of 5 switches are written under another name") !=
        std::string::npos);
}

TEST_CASE("what cannot be written is told") {
  FoundCluster cluster;
  cluster.sources.push_back({"made up", "c", ""});
  CHECK(written_as("hostlist", cluster) ==
        "c: error: no node has a name (a dump of one node's inside says nothing of the others)\n");
  cluster.nodes.emplace_back();
  cluster.nodes[0].name = "gpu a";
  cluster.nodes[0].where = {"c", 3, 1};
  CHECK(written_as("slurm-tree", cluster) ==
        "c:3:1: error: 'gpu a' is no node name in this format (letters, digits, '-', '_' and "
        "'.')\n");
  cluster.nodes[0].name = "a";
  CHECK(written_as("slurm-tree", cluster) ==
        "c:3:1: error: nothing tells which switches the nodes are below (import a dump that has "
        "switches or topology labels too)\n");
  CHECK(written_as("kueue", cluster) ==
        "c: error: no level of the network has a node label (a Topology object lists label keys; "
        "import a dump of labelled nodes)\n");
  cluster.levels = {"slurm level 0"};
  CHECK(written_as("kueue", cluster) ==
        "c: error: the level 'slurm level 0' is no label key of nodes (a Topology object lists "
        "label keys; label the nodes first, for example with Topograph)\n");
}

TEST_CASE("what is written of clusters made up by chance is read as the same tree") {
  struct Row {
    const char* written;
    const char* read;
  };
  const Row row = GENERATE(values<Row>({{"slurm-tree", "slurm-conf"},
                                        {"slurm-yaml", "slurm-yaml"},
                                        {"topograph", "topograph"},
                                        {"topograph-graph", "topograph-graph"}}));
  std::mt19937 random(5);
  for (unsigned round = 0; round < 200; ++round) {
    const FoundCluster cluster =
        round == 0 ? long_names_cluster() : random_cluster(random, 1 + round / 3);
    const std::string text = written_as(row.written, cluster);
    INFO(text);
    CHECK(detected(text) == row.read);
    const auto again = read_as(row.read, text);
    INFO((again ? "" : text_of(again.error())));
    REQUIRE(again);
    REQUIRE(shape_of(*again) == shape_of(cluster));
    // Once written and read, names and levels fit the format: nothing changes any more.
    CHECK(written_as(row.written, *again) == text);
  }
}

}  // namespace
}  // namespace topology
