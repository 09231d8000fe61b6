#include "tests/topology/import_support.hpp"

namespace topology {
namespace {

const std::string good =
    "---\n"
    "- topology: all\n"
    "  cluster_default: false\n"
    "  flat: true\n"
    "- topology: rows\n"
    "  cluster_default: true\n"
    "  tree:\n"
    "    switches:\n"
    "      - switch: sw_root\n"
    "        children: s[1-2]\n"
    "      - switch: s1\n"
    "        nodes: node[01-02]\n"
    "      - switch: s2\n"
    "        nodes: node[03]\n"
    "- topology: racks\n"
    "  cluster_default: false\n"
    "  block:\n"
    "    block_sizes: [2, 4]\n"
    "    blocks:\n"
    "      - block: b1\n"
    "        nodes: node[01-03]\n";

TEST_CASE("of a topology.yaml the default topology is read") {
  CHECK(detected(good) == "slurm-yaml");
  const auto found = read_as("slurm-yaml", good);
  INFO((found ? "" : text_of(found.error())));
  REQUIRE(found);
  CHECK(tree_of(*found) == "sw_root/s1: node01 node02\nsw_root/s2: node03\n");
  CHECK(text_of(found->notes) ==
        "f:2:3: note: the topology 'all' is not used\n"
        "f:15:3: note: the topology 'racks' is not used\n");
}

TEST_CASE("blocks and rings of a topology.yaml are domains") {
  const auto found = read_as("slurm-yaml", good.substr(good.find("- topology: racks")));
  REQUIRE(found);
  CHECK(tree_of(*found) == "b1: node01 node02 node03\n");
  CHECK(found->nodes[0].accelerator_domain == "b1");
}

TEST_CASE("mistakes in a topology.yaml are told at their place") {
  struct Row {
    const char* text;
    const char* want;
  };
  const Row row = GENERATE(values<Row>({
      {"- topology: t\n  cluster_default: true\n  torus3d: {dims: [4, 4, 4]}\n",
       "f:1:3: error: the topology 't' is a torus, which is not supported\n"},
      {"- topology: t\n  flat: true\n", "f:1:3: error: the topology 't' tells no switches\n"},
      {"- topology: t\n",
       "f:1:3: error: this topology says nothing of its plugin (one of tree, block, ring, flat, "
       "torus3d)\n"},
      {"- topology: t\n  flat: true\n  ring: {rings: []}\n",
       "f:1:3: error: one topology has ring and flat (one of tree, block, ring, flat, torus3d)\n"},
      {"- topology: t\n  tree:\n    switches:\n    - switch: a\n      nodes: n[1-\n",
       "f:5:15: error: a '[' without its ']'\n"},
      {"- topology: t\n  tree:\n    switches:\n    - switch: a\n      nodes: n1\n      "
       "children: b\n",
       "f:5:14: error: the switch 'a' has both nodes and children (give the nodes a switch of "
       "their own)\n"},
      {"topology: t\n",
       "f:1:1: error: must be a list of topologies (see the manual page "
       "topology.yaml(5))\n"},
  }));
  INFO(row.text);
  CHECK(mistakes_of("slurm-yaml", row.text) == row.want);
}

}  // namespace
}  // namespace topology
