#include "topology/merge.hpp"

#include <string>
#include <utility>
#include <vector>

#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"
#include "topology/node_names.hpp"

namespace topology {

namespace {

FoundCluster dump(std::string file, std::vector<FoundNode> nodes) {
  FoundCluster out;
  out.sources.push_back({"made up", std::move(file), ""});
  out.nodes = std::move(nodes);
  return out;
}

FoundNode node(std::string name, std::string gpu = "", int gpus = -1) {
  FoundNode out;
  out.name = std::move(name);
  out.gpu = std::move(gpu);
  out.gpus = gpus;
  return out;
}

FoundCable cable(std::size_t of_node, std::string nic, std::string port) {
  FoundCable out;
  out.a = {CableEnd::At::node, of_node, std::move(nic), ""};
  out.b = {CableEnd::At::fabric_switch, 0, "", std::move(port)};
  return out;
}

}  // namespace

TEST_CASE("a host is found by its names in any case, with or without its domain") {
  NodeNames names;
  names.add("gpu-1", 0);
  names.add("GPU-2.rack.example", 1);
  names.add("gpu-3.a.example", 2);
  names.add("gpu-3.b.example", 3);
  names.add("10.0.0.4", 4);
  CHECK(names.find("Gpu-1") == 0);
  CHECK(names.find("gpu-1.rack.example") == 0);  // the known name has no domain to contradict it
  CHECK(names.find("gpu-2") == 1);
  CHECK_FALSE(names.find("gpu-2.other.example"));  // another domain is another machine
  CHECK_FALSE(names.find("gpu-3"));                // two have it
  CHECK(names.find("gpu-3.b.example") == 3);
  CHECK(names.find("10.0.0.4") == 4);
  CHECK_FALSE(names.find("10"));  // an address has no host name
}

TEST_CASE("a later dump fills in what earlier ones do not tell, and contradictions are told") {
  FoundNode labelled = node("gpu-1.example", "H100-SXM5-80GB", 8);
  labelled.aliases = {"i-0ab"};
  FoundNode other = node("I-0AB", "H100-SXM5-80GB", 4);
  other.accelerator_domain = "rack-1";
  const FoundCluster merged = merge({dump("a", {labelled, node("gpu-2")}), dump("b", {other})});
  REQUIRE(merged.nodes.size() == 2);
  CHECK(merged.nodes[0].gpus == 8);  // the first wins
  CHECK(merged.nodes[0].accelerator_domain == "rack-1");
  CHECK(merged.nodes[0].aliases == std::vector<std::string>{"i-0ab", "I-0AB"});
  CHECK_THAT(text_of(merged.notes), Catch::Contains("says another number of GPUs"));
  CHECK(merged.sources.size() == 2);
}

TEST_CASE("nodes that no earlier dump names are kept, with a warning when none is the same") {
  const FoundCluster some =
      merge({dump("a", {node("n1"), node("n2")}), dump("b", {node("n2"), node("n3")})});
  CHECK(some.nodes.size() == 3);
  CHECK_THAT(text_of(some.notes),
             Catch::Contains("b: note: 1 node that no earlier dump names: n3"));
  const FoundCluster none = merge({dump("a", {node("n1")}), dump("b", {node("m1")})});
  CHECK(none.nodes.size() == 2);
  CHECK_THAT(text_of(none.notes), Catch::Contains("warning") && Catch::Contains("different names"));
}

TEST_CASE("there is one switch tree, that of the first dump that has one") {
  FoundCluster first = dump("a", {node("n1")});
  first.levels = {"rack"};
  first.nodes[0].domains = {"r1"};
  FoundCluster second = dump("b", {node("n1"), node("n2")});
  second.levels = {"spine", "leaf"};
  second.nodes[0].domains = {"s1", "l1"};
  second.nodes[1].domains = {"s1", "l2"};
  const FoundCluster merged = merge({first, second});
  CHECK(merged.levels == std::vector<std::string>{"rack"});
  CHECK(merged.nodes[0].domains == std::vector<std::string>{"r1"});
  CHECK(merged.nodes[1].domains.empty());
  CHECK_THAT(text_of(merged.notes), Catch::Contains("its switch tree is not used: a tells one"));
}

TEST_CASE("a cable told twice is one, in the worse of its states; parallel ones stay several") {
  FoundCluster first = dump("a", {node("n1")});
  first.switches.push_back({.id = "leaf", .name = "", .model = "", .where = {}});
  first.cables = {cable(0, "mlx5_0", "1"), cable(0, "mlx5_0", "2")};
  FoundCluster second = dump("b", {node("N1")});
  second.switches.push_back({.id = "leaf", .name = "leaf one", .model = "", .where = {}});
  second.cables = {cable(0, "mlx5_0", "2")};
  second.cables[0].state = CableState::down;
  second.cables[0].trouble = "no light";
  const FoundCluster merged = merge({first, second});
  REQUIRE(merged.cables.size() == 2);
  CHECK(merged.switches.size() == 1);
  CHECK(merged.switches[0].name == "leaf one");
  CHECK(merged.cables[0].state == CableState::up);
  CHECK(merged.cables[1].state == CableState::down);
  CHECK(merged.cables[1].trouble == "no light");

  // Without ports nothing says that they are the same.
  FoundCluster blind = dump("c", {node("n1")});
  blind.switches.push_back({.id = "leaf", .name = "", .model = "", .where = {}});
  blind.cables = {cable(0, "", ""), cable(0, "", "")};
  CHECK(merge({blind}).cables.size() == 2);
}

TEST_CASE("the inside of one node is that of all nodes with as many GPUs of its kind") {
  FoundNode inside = node("", "", 8);
  inside.inside.push_back({ScaleUpKind::nvswitch, base::BytesPerSecond::from_gbyte(450), {}});
  const FoundCluster merged =
      merge({dump("nodes", {node("n1", "H100-SXM5-80GB", 8), node("n2", "H100-SXM5-80GB", 4)}),
             dump("topo.xml", {inside})});
  REQUIRE(merged.nodes.size() == 2);
  CHECK(merged.nodes[0].inside.size() == 1);
  CHECK(merged.nodes[1].inside.empty());
  CHECK_THAT(text_of(merged.notes),
             Catch::Contains("topo.xml: note: taken for the inside of 1 of 2 nodes"));
  CHECK(merge({dump("topo.xml", {inside})}).nodes.at(0).name == "node");
}

}  // namespace topology
