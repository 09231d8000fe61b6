#include "topology/summary.hpp"

#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"

namespace topology {
namespace {

TEST_CASE("a cluster in one line") {
  struct Row {
    const char* yaml;
    const char* want;
  };
  const Row row = GENERATE(values<Row>({
      {"{nodes: {type: dgx-h100, count: 2048}, fabric: {kind: rail_optimized}}",
       "2,048 x dgx-h100 (16,384 x H100-SXM5-80GB), rail-optimised, 8 rails"},
      {"{nodes: {type: dgx-h100, count: 4}, fabric: {kind: rail_optimized, nic_ports: 2, planes: "
       "2}}",
       "4 x dgx-h100 (32 x H100-SXM5-80GB), rail-optimised, 2 planes, 8 rails"},
      {"{nodes: {type: dgx-h100, count: 1}}", "1 x dgx-h100 (8 x H100-SXM5-80GB)"},
      {"{nodes: [{type: dgx-h100, count: 2}, {type: polaris, count: 3}], fabric: {kind: fat_tree}}",
       "2 x dgx-h100 (16 x H100-SXM5-80GB) + 3 x polaris (12 x A100-SXM4-40GB), fat tree"},
  }));
  const base::Result<Cluster> cluster = cluster_from(row.yaml);
  REQUIRE(cluster);
  CHECK(summary(*cluster) == row.want);
}

TEST_CASE("thousands") {
  CHECK(grouped(0) == "0");
  CHECK(grouped(999) == "999");
  CHECK(grouped(1000) == "1,000");
  CHECK(grouped(-1234567) == "-1,234,567");
}

TEST_CASE("cables that are down are in no tier") {
  // 2 x 8 NICs, one of them down; 8 leaves with 32 uplinks, 8 of each to one of 4 spines.
  const base::Result<Cluster> cluster =
      cluster_from("{nodes: {type: dgx-h100, count: 2}, fabric: {kind: rail_optimized}}",
                   "link_down: [node-0/nic-0, spine-0]");
  REQUIRE(cluster);
  const std::vector<Tier> found = tiers(*cluster);
  REQUIRE(found.size() == 2);
  CHECK(found[0].cables == 15);
  CHECK(found[1].cables == 8 * 24);
}

TEST_CASE("oversubscription of each tier, as built") {
  // 64 nodes in 16 racks of 4: 32 NICs down, 16 up at 2:1. Pods of 4 racks with 16 spines (one
  // cable from each leaf), so a spine has 4 down and at 4:1 one up.
  const base::Result<Cluster> cluster = cluster_from(
      "nodes: {type: dgx-h100, count: 64}\n"
      "fabric: {kind: fat_tree, nodes_per_leaf: 4, oversubscription: 2, leaves_per_pod: 4, "
      "spines: 16, core_oversubscription: 4}\n");
  REQUIRE(cluster);
  const std::vector<Tier> found = tiers(*cluster);
  REQUIRE(found.size() == 3);
  CHECK(found[0].cables == 512);
  CHECK(found[0].oversubscription == Approx(1));
  CHECK(found[1].cables == 256);
  CHECK(found[1].oversubscription == Approx(2));
  CHECK(found[2].cables == 64);
  CHECK(found[2].oversubscription == Approx(4));
}

}  // namespace
}  // namespace topology
