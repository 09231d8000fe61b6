#include "tests/topology/import_support.hpp"

namespace topology {
namespace {

TEST_CASE("a model of Topograph is read") {
  const std::string text =
      "switches:\n"
      "  core:\n"
      "    labels: {topology.kubernetes.io/region: north}\n"
      "    switches: [spine-1, spine-2]\n"
      "  spine-1:\n"
      "    switches: [leaf-1, leaf-2]\n"
      "  spine-2:\n"
      "    switches: [leaf-3, leaf-4]\n"
      "blocks:\n"
      "- switch: leaf-1\n"
      "  nodes: [\"gb[01-02]\"]\n"
      "  annotations:\n"
      "    accelerator.topology.test/domain: nvl-1\n"
      "    accelerator.topology.test/sub-domain: \"rack01\"\n"
      "- switch: leaf-2\n"
      "  nodes: [gb03, \"gb[05-06]\"]\n"
      "- switch: leaf-3\n"
      "  nodes: [gb04]\n";
  CHECK(detected(text) == "topograph");
  const auto found = read_as("topograph", text);
  INFO((found ? "" : text_of(found.error())));
  REQUIRE(found);
  CHECK(found->levels == std::vector<std::string>{"fabric.topograph.run/tier-2",
                                                  "fabric.topograph.run/tier-1",
                                                  "fabric.topograph.run/tier-0"});
  CHECK(tree_of(*found) ==
        "core/spine-1/leaf-1: gb01 gb02\n"
        "core/spine-1/leaf-2: gb03\n"
        "core/spine-2/leaf-3: gb04\n"
        "core/spine-1/leaf-2: gb05 gb06\n");
  CHECK(found->nodes[1].accelerator_domain == "nvl-1");
  CHECK(found->nodes[1].accelerator_partition == "rack01");
  CHECK(found->nodes[2].accelerator_domain.empty());
}

TEST_CASE("an older model of Topograph has the nodes below its switches") {
  const auto found = read_as("topograph",
                             "switches:\n  S1:\n    switches: [S2, S3]\n"
                             "  S2:\n    nodes: [I21, I22]\n  S3:\n    nodes: [I34]\n"
                             "nodes:\n  I21: {capacity_block: CB2, type: H100}\n");
  REQUIRE(found);
  CHECK(tree_of(*found) == "S1/S2: I21 I22\nS1/S3: I34\n");
}

TEST_CASE("mistakes in a model of Topograph are told at their place") {
  CHECK(mistakes_of("topograph", "switches:\n  a:\n    switches: [b]\n    nods: [n]\n") ==
        "f:4:5: error: unknown key 'nods' (did you mean 'nodes'?)\n");
  CHECK(mistakes_of("topograph", "switches:\n  a:\n    switches: [b]\n  b:\n    switches: [a]\n") ==
        "f:2:3: error: switches stand below themselves: 2 of them (a, b)\n");
  CHECK(mistakes_of("topograph", "blocks:\n- nodes: [n]\n").starts_with("f:1:1: error: "));
}

TEST_CASE("Topograph's graph lists switches nearest first") {
  const std::string text =
      "{\"instances\":[\n"
      "{\"id\":\"b\",\"network_layers\":[\"leaf-a\",\"spine-a\",\"core\"],"
      "\"labels\":{\"accelerator.topograph.run/domain\":\"nvl\"}},\n"
      "{\"id\":\"a\",\"network_layers\":[\"leaf-a\",\"spine-b\",\"core\"]},\n"
      "{\"id\":\"c\",\"network_layers\":[\"leaf-c\",\"core\"]},\n"
      "{\"id\":\"d\",\"network_layers\":[]}]}";
  CHECK(detected(text) == "topograph-graph");
  const auto found = read_as("topograph-graph", text);
  REQUIRE(found);
  // leaf-a is used twice: below spine-a and below spine-b it is another switch.
  CHECK(tree_of(*found) ==
        "core/spine-b/leaf-a: a\ncore/spine-a/leaf-a: b\ncore/-/leaf-c: c\n: d\n");
  CHECK(found->nodes[1].accelerator_domain == "nvl");
  CHECK(mistakes_of("topograph-graph", "{\"instances\":[{\"id\":\"a\"},\n{\"id\":\"a\"}]}") ==
        "f:2:7: error: the instance 'a' is given twice\n");
  CHECK(mistakes_of("topograph-graph", "{\"instances\":[]}") ==
        "f:1:1: error: there are no 'instances' (the graph is empty)\n");
}

}  // namespace
}  // namespace topology
