#include "tests/topology/import_support.hpp"

namespace topology {
namespace {

TEST_CASE("AWS lists switches from the top, three or four of them, on several pages") {
  const std::string text = fixture("aws-instance-topology.json");
  CHECK(detected(text) == "aws-topology");
  const auto found = read_as("aws-topology", text);
  INFO((found ? "" : text_of(found.error())));
  REQUIRE(found);
  CHECK(found->levels == std::vector<std::string>{"topology.k8s.aws/network-node-layer-1",
                                                  "topology.k8s.aws/network-node-layer-2",
                                                  "topology.k8s.aws/network-node-layer-3",
                                                  "topology.k8s.aws/network-node-layer-4"});
  CHECK(tree_of(*found) ==
        "nn-0b7d1e5a2c9f4a681/nn-03c4f8e17ad26b905/nn-0e15a9d3b7c8f2460/-: i-0a41c3e8f2b95d701 "
        "i-0a41c3e8f2b95d702\n"
        "nn-0b7d1e5a2c9f4a681/nn-09d6b2a4c8e0f1375/-/-: i-0a41c3e8f2b95d703\n"
        "nn-0b7d1e5a2c9f4a681/nn-09d6b2a4c8e0f1375/nn-05f3c7b1e9a2d8046/nn-0c8e4a6d2b0f97153: "
        "i-0a41c3e8f2b95d704\n");
  CHECK(found->nodes[0].type == "p5.48xlarge");
  CHECK(text_of(found->notes) ==
        "f:4:27: note: 3 of 4 instances tell fewer switches than others\n"
        "f:28:27: note: the type 'p9.mega' of 1 instances is not in the registry\n"
        "f:4:27: note: 1 instances are repeated on another page\n");
}

TEST_CASE("a page that says there are more is told, and reservations are no instances") {
  const auto found = read_as("aws-topology",
                             "{\"CapacityReservations\":[{\"CapacityReservationId\":\"cr-1\","
                             "\"NetworkNodes\":[\"nn-1\"]}],\n\"NextToken\":\"x\"}");
  REQUIRE(found);
  CHECK(tree_of(*found) == "nn-1: cr-1\n");
  CHECK(text_of(found->notes) ==
        "f:2:13: warning: the last page says that there are more\n"
        "f: warning: 1 capacity reservations are taken as a node each: how many instances each "
        "holds is not told (describe-instance-topology lists instances)\n");
}

TEST_CASE("instances of Google have a field for each level") {
  const std::string text = fixture("gcp-instances.json");
  CHECK(detected(text) == "gcp-instances");
  const auto found = read_as("gcp-instances", text);
  REQUIRE(found);
  CHECK(tree_of(*found) == ": login\n3f0a/b71c/92de: train-1\n3f0a/b71c/-: train-2\n");
  CHECK(found->nodes[1].aliases == std::vector<std::string>{"5174839264018273645"});
  CHECK(found->nodes[1].type == shipped_registry()->find_node("a3-megagpu-8g")->name);
  CHECK(text_of(found->notes) ==
        "f:31:13: warning: 1 of 3 instances tell no switches\n"
        "f:20:13: note: 1 of 3 instances tell fewer switches than others\n"
        "f:31:13: note: the type 'e2-small' of 1 instances is not in the registry\n");
  const auto zones = read_as(
      "gcp-instances",
      R"({"items":{"zones/a":{"instances":[{"name":"x","resourceStatus":{"physicalHostTopology":
         {"cluster":"c","block":"b","subblock":"s"}}}]},"zones/b":{"warning":{}}}})");
  REQUIRE(zones);
  CHECK(tree_of(*zones) == "c/b/s: x\n");
}

TEST_CASE("hosts of OCI as its interface, its command line and its metadata spell them") {
  struct Row {
    const char* text;
    const char* tree;
  };
  const Row row = GENERATE(values<Row>({
      {R"({"items":[{"id":"ocid1.host","instanceId":"ocid1.inst","hpcIslandId":"h",
          "networkBlockId":"n","localBlockId":"l","gpuMemoryFabricId":"g"}]})",
       "h/n/l: ocid1.inst\n"},
      {R"({"data":{"items":[{"id":"ocid1.host","hpc-island-id":"h","network-block-id":"n",
          "local-block-id":"l","gpu-memory-fabric-id":"g"}]}})",
       "h/n/l: ocid1.host\n"},
      {R"({"customerHPCIslandId":"h","customerNetworkBlock":"n","customerLocalBlock":"l",
          "customerHostId":"host","customerGpuMemoryFabric":"g"})",
       "h/n/l: host\n"},
  }));
  CHECK(detected(row.text) == "oci-hosts");
  const auto found = read_as("oci-hosts", row.text);
  INFO((found ? "" : text_of(found.error())));
  REQUIRE(found);
  CHECK(tree_of(*found) == row.tree);
  CHECK(found->nodes[0].accelerator_domain == "g");
}

TEST_CASE("Lambda lists switches from the leaf, Nscale from the core") {
  const std::string lambda =
      R"({"data":[{"id":"b","networkPath":[{"id":"leaf"},{"id":"spine"}],
          "nvlink":{"domain_id":"d","clique_id":"7"}},
         {"id":"a","networkPath":[{"id":"leaf-2"},{"id":"spine"}],"nvlink":null}]})";
  CHECK(detected(lambda) == "lambda-instances");
  auto found = read_as("lambda-instances", lambda);
  REQUIRE(found);
  CHECK(tree_of(*found) == "spine/leaf-2: a\nspine/leaf: b\n");
  CHECK(found->nodes[1].accelerator_domain == "d");
  CHECK(found->nodes[1].accelerator_partition == "7");
  const std::string nscale =
      R"([{"instance_id":"x","network_node_path":["core","spine","leaf"],"block_id":"blk"}])";
  CHECK(detected(nscale) == "nscale-topology");
  found = read_as("nscale-topology", nscale);
  REQUIRE(found);
  CHECK(tree_of(*found) == "core/spine/leaf: x\n");
  CHECK(found->nodes[0].accelerator_domain == "blk");
}

TEST_CASE("mistakes in answers of clouds are told at their place") {
  CHECK(mistakes_of("aws-topology", "{\"Reservations\":[]}") ==
        "f:1:1: error: this text has no list of instances (it should be Instances)\n");
  CHECK(mistakes_of("aws-topology", "{\"Instances\":[]}") ==
        "f: error: no instance in it (the list is empty)\n");
  CHECK(mistakes_of("aws-topology", "{\"Instances\":[{\"NetworkNodes\":[]}]}") ==
        "f:1:15: error: an instance without a name (it should have 'InstanceId')\n");
  CHECK(mistakes_of("aws-topology",
                    "{\"Instances\":[{\"InstanceId\":\"i-1\",\"NetworkNodes\":[\"a\"]},\n"
                    "{\"InstanceId\":\"i-1\",\"NetworkNodes\":[\"b\"]}]}") ==
        "f:2:15: error: the instance 'i-1' is given twice, with different switches (first in line "
        "1) (write all pages again at one time)\n");
  CHECK(mistakes_of("aws-topology", "{\"Instances\":[\n{\"InstanceId\":\"i-1\",\n")
            .starts_with("f:3:1: error: "));
}

}  // namespace
}  // namespace topology
