#include "topology/cluster_of.hpp"

#include <string>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"
#include "topology/found_of.hpp"
#include "topology/summary.hpp"

namespace topology {

namespace {

using base::BytesPerSecond;

FoundCluster h100_nodes(int count) {
  FoundCluster found;
  found.sources.push_back({"made up", "nodes", ""});
  for (int i = 0; i < count; ++i) {
    FoundNode node;
    node.name = fmt::format("n{}", i);
    node.gpu = "H100-SXM5-80GB";
    node.gpus = 8;
    node.where = {"nodes", i + 1, 1};
    found.nodes.push_back(node);
  }
  return found;
}

}  // namespace

TEST_CASE("nodes get the registry's type for their GPUs, and each inference is told") {
  const auto spec = cluster_of(h100_nodes(4), *shipped_registry(), {});
  REQUIRE(spec.has_value());
  REQUIRE(spec->nodes.size() == 4);
  CHECK(spec->nodes[0].type->gpu == "H100-SXM5-80GB");
  CHECK(spec->nodes[0].usable_gpus == 8);
  CHECK_THAT(text_of(spec->notes), Catch::Contains("4 nodes with 8 x H100-SXM5-80GB taken for"));
  CHECK_THAT(
      text_of(spec->notes),
      Catch::Contains("no dump tells how nodes are joined: one switch that joins all 4 nodes"));
  CHECK(build_cluster(*spec, shipped_registry()).has_value());
}

TEST_CASE("what was found wins over the node type") {
  FoundCluster found = h100_nodes(2);
  for (FoundNode& node : found.nodes)
    for (int i = 0; i < 4; ++i)
      node.nics.push_back({.name = fmt::format("mlx5_{}", i),
                           .id = "",
                           .rate = BytesPerSecond::from_gbit(200),
                           .gpus = {2 * i, 2 * i + 1}});
  // A storage NIC is none of those by which GPUs talk.
  found.nodes[0].nics.push_back(
      {.name = "eth0", .id = "", .role = FabricRole::storage, .gpus = {}});
  const auto spec = cluster_of(found, *shipped_registry(), {.node_type = "dgx-h100"});
  REQUIRE(spec.has_value());
  const NodeType& type = *spec->nodes[0].type;
  CHECK(type.nics == 4);
  CHECK(type.nic_rate.gbit() == Approx(200));
  CHECK(spec->nodes[1].type == &type);  // one type for both
  CHECK_THAT(text_of(spec->notes), Catch::Contains("with 4 NICs of 200 Gbit/s as found"));
}

TEST_CASE("nodes that cannot be used are left out, and why is told") {
  FoundCluster found = h100_nodes(3);
  found.nodes[1].unavailable = "cordoned";
  found.nodes[2].gpu = "";
  found.nodes[2].gpus = -1;
  const auto spec = cluster_of(found, *shipped_registry(), {});
  REQUIRE(spec.has_value());
  CHECK(spec->nodes.size() == 1);
  CHECK_THAT(text_of(spec->notes), Catch::Contains("left out (cordoned): n1"));
  CHECK_THAT(text_of(spec->notes), Catch::Contains("no dump tells which GPUs they have: n2"));

  const auto all =
      cluster_of(found, *shipped_registry(), {.unavailable = true, .node_type = "dgx-h100"});
  REQUIRE(all.has_value());
  CHECK(all->nodes.size() == 3);
  CHECK(all->nodes[1].unavailable == "cordoned");

  const auto wrong = cluster_of(found, *shipped_registry(), {.node_type = "dgx-h10"});
  REQUIRE_FALSE(wrong.has_value());
  CHECK_THAT(text_of(wrong.error()), Catch::Contains("unknown node type 'dgx-h10'"));
}

TEST_CASE("nothing usable and a mixture of GPUs are mistakes that say what there is") {
  FoundCluster found = h100_nodes(2);
  found.nodes[1].gpu = "A100-SXM4-80GB";
  const auto mixed = cluster_of(found, *shipped_registry(), {});
  REQUIRE_FALSE(mixed.has_value());
  CHECK_THAT(text_of(mixed.error()),
             Catch::Contains("1 node with A100-SXM4-80GB, 1 node with H100-SXM5-80GB"));
  CHECK(cluster_of(found, *shipped_registry(), {.gpu = "A100-SXM4-80GB"})->nodes.size() == 1);
  for (FoundNode& node : found.nodes) node.unavailable = "NotReady";
  const auto none = cluster_of(found, *shipped_registry(), {});
  REQUIRE_FALSE(none.has_value());
  CHECK_THAT(text_of(none.error()), Catch::Contains("no usable GPU node among 2 nodes") &&
                                        Catch::Contains("left out (NotReady)"));
}

TEST_CASE("a cluster written by hand, found and built again, is the same network") {
  const auto before = cluster_from(
      "nodes: {type: dgx-h100, count: 16}\n"
      "fabric: {kind: rail_optimized, nodes_per_leaf: 4, spines: 2, oversubscription: 2}\n",
      "link_down: 'leaf-0 -> spine-1'\n");
  REQUIRE(before.has_value());
  const FoundCluster found = found_of(*before, "c.yaml");
  CHECK(found.nodes.size() == 16);
  const auto spec = cluster_of(found, *shipped_registry(), {});
  REQUIRE(spec.has_value());
  const auto after = build_cluster(*spec, shipped_registry());
  REQUIRE(after.has_value());
  CHECK(after->fabric() == "as cabled");
  const auto cut = [](std::string text) { return text.substr(0, text.find(',', text.find(')'))); };
  CHECK(cut(summary(*after)) == cut(summary(*before)));
  const std::vector<Tier> was = tiers(*before);
  const std::vector<Tier> is = tiers(*after);
  REQUIRE(was.size() == is.size());
  for (std::size_t i = 0; i < was.size(); ++i) {
    CHECK(is[i].cables == was[i].cables);
    CHECK(is[i].rate.byte() == Approx(was[i].rate.byte()));
    CHECK(is[i].oversubscription == Approx(was[i].oversubscription));
  }
}

}  // namespace topology
