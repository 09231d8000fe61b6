#include "topology/import/foreshard_json.hpp"

#include <string>

#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"
#include "topology/export/writers.hpp"

namespace topology {

namespace {

base::Result<FoundCluster> read(const std::string& text) {
  const std::vector<DumpFile> files{{"c.json", text}};
  const ImportOptions options;
  return read_foreshard_json(files, {.registry = *shipped_registry(), .options = options});
}

/// Something known in every field.
FoundCluster full() {
  FoundCluster found;
  found.sources.push_back({"kubernetes", "nodes.json", "1 node"});
  found.levels = {"spine", "leaf"};
  FoundNode node;
  node.name = "gpu-1 \"quoted\"";
  node.aliases = {"i-0ab", "10.0.0.1"};
  node.type = "dgx-h100";
  node.gpu = "H100-SXM5-80GB";
  node.gpus = 8;
  node.usable_gpus = 7;
  node.free_gpus = 0;
  node.unavailable = "cordoned";
  node.domains = {"", "l1"};
  node.accelerator_domain = "uuid";
  node.accelerator_partition = "uuid.1";
  node.nics.push_back({"mlx5_0",
                       "00000000000000a1",
                       base::BytesPerSecond::from_gbit(400),
                       2,
                       3,
                       FabricRole::compute,
                       {0, 1}});
  node.inside.push_back({ScaleUpKind::nvswitch, base::BytesPerSecond::from_gbyte(450),
                         base::BytesPerSecond::from_gbyte(63)});
  node.occupants.push_back({"ns/job", "ns/job-0", 8, 0});
  found.nodes = {node};
  FoundSwitch one;
  one.id = "leaf-1";
  one.name = "MF0;leaf";
  one.model = "MQM9700";
  one.tier = 1;
  one.rail = 3;
  one.role = FabricRole::compute;
  found.switches = {one};
  FoundCable cable;
  cable.a = {CableEnd::At::node, 0, "mlx5_0", "1"};
  cable.b = {CableEnd::At::fabric_switch, 0, "", "17"};
  cable.rate = base::BytesPerSecond::from_gbit(100);
  cable.built = base::BytesPerSecond::from_gbit(400);
  cable.state = CableState::degraded;
  cable.trouble = "1X";
  found.cables = {cable};
  found.declared.push_back({"Kueue Topology default", {"spine", "leaf"}, {}});
  found.notes.push_back({{"nodes.json", 3, 4}, "something", "a hint", base::Severity::warning});
  return found;
}

}  // namespace

TEST_CASE("a cluster written as JSON is the same when it is read") {
  const std::string text = write_foreshard_json(full())->text;
  const auto again = read(text);
  REQUIRE(again.has_value());
  CHECK(write_foreshard_json(*again)->text == text);
  const FoundNode& node = again->nodes.at(0);
  CHECK(node.name == "gpu-1 \"quoted\"");
  CHECK(node.free_gpus == 0);  // known to be none
  CHECK(node.domains == std::vector<std::string>{"", "l1"});
  CHECK(node.nics.at(0).rate.gbit() == Approx(400));
  CHECK(node.inside.at(0).pcie_rate.gbyte() == Approx(63));
  CHECK(again->cables.at(0).state == CableState::degraded);
  CHECK(again->cables.at(0).b.port == "17");
  CHECK(again->notes.at(0).severity == base::Severity::warning);
  CHECK(is_foreshard_json(text));

  const std::string empty = write_foreshard_json({})->text;
  REQUIRE(read(empty).has_value());
  CHECK(write_foreshard_json(*read(empty))->text == empty);
}

TEST_CASE("every mistake in a cluster's JSON is told at its place") {
  const auto wrong = read(R"({"schema": "foreshard.cluster.v2", "levels": ["a"],
 "nodes": [{"name": "n", "gpu_s": 8}, {"name": "n", "domains": ["x", "y"]}],
 "cables": [{"a": {"node": "m"}, "b": {"switch": "s"}, "state": "broken"}]})");
  REQUIRE_FALSE(wrong.has_value());
  const std::string text = text_of(wrong.error());
  CHECK_THAT(text, Catch::Contains("c.json:1:12: error: schema is 'foreshard.cluster.v2'"));
  CHECK_THAT(text, Catch::Contains("c.json:2:26: error: unknown key 'gpu_s' (did you mean 'gpus'"));
  CHECK_THAT(text, Catch::Contains("2 domains for 1 levels"));
  CHECK_THAT(text, Catch::Contains("two nodes are named 'n'"));
  CHECK_THAT(text, Catch::Contains("there is no node 'm'"));
  CHECK_THAT(text, Catch::Contains("there is no switch 's'"));
  CHECK_THAT(text, Catch::Contains("broken"));
}

}  // namespace topology
