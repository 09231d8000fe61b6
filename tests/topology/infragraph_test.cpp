#include <pugixml.hpp>
#include <random>
#include <set>

#include "tests/topology/import_support.hpp"
#include "topology/export/writers.hpp"

namespace topology {
namespace {

std::string name_of(const FoundCluster& found, const CableEnd& end) {
  if (end.at == CableEnd::At::node) return found.nodes.at(end.index).name + " " + end.nic;
  return found.switches.at(end.index).id + " " + end.port;
}

/// "host.0 nic.0 - leaf.0 port.0 400" a line for each cable.
std::string cables_of(const FoundCluster& found) {
  std::string text;
  for (const FoundCable& cable : found.cables)
    text += fmt::format("{} - {} {:.0f}\n", name_of(found, cable.a), name_of(found, cable.b),
                        cable.rate.gbit());
  return text;
}

TEST_CASE("an InfraGraph with edges between slices is read") {
  const std::string text = fixture("infragraph-two-tiers.yaml");
  CHECK(detected(text) == "infragraph");
  const auto found = read_as("infragraph", text);
  INFO((found ? "" : text_of(found.error())));
  REQUIRE(found);
  CHECK(found->nodes.at(0).gpus == 8);
  CHECK(found->nodes[0].nics.size() == 2);
  CHECK(found->switches.at(2).model == "tomahawk");
  CHECK(cables_of(*found) ==
        "host.0 nic.0 - leaf.0 port.0 400\n"
        "host.1 nic.0 - leaf.0 port.1 400\n"
        "host.2 nic.0 - leaf.1 port.0 400\n"
        "host.3 nic.0 - leaf.1 port.1 400\n"
        "leaf.0 port.3 - spine port.0 800\n"
        "leaf.1 port.3 - spine port.1 800\n");
  CHECK(text_of(found->notes) ==
        "f:42:3: note: 1 edges have ends of different number; the shorter end counts, as in "
        "InfraGraph's examples\n");
}

TEST_CASE("an earlier InfraGraph has its connections as texts") {
  const auto found =
      read_as("infragraph",
              "devices:\n"
              "- name: a\n  components:\n"
              "  - {name: xpu, count: 1, type: xpu}\n"
              "  - {name: nic, count: 4, type: nic}\n"
              "- name: b\n  components:\n"
              "  - {name: port, count: 8, type: nic}\n"
              "instances:\n- {name: host, count: 2, device: a}\n"
              "- {name: sw, count: 1, device: b}\n"
              "links:\n- name: eth\n  bandwidth:\n    choice: giga_bytes_per_second\n"
              "    giga_bytes_per_second: 50\n"
              "connections:\n- host.0.nic.0.eth.sw.0.port.0\n"
              "- host.1.nic.3.eth.sw.0.port.1\n");
  INFO((found ? "" : text_of(found.error())));
  REQUIRE(found);
  CHECK(cables_of(*found) == "host.0 nic.0 - sw port.0 400\nhost.1 nic.3 - sw port.1 400\n");
}

TEST_CASE("mistakes in an InfraGraph are told at their place") {
  const std::string good = fixture("infragraph-two-tiers.yaml");
  struct Row {
    const char* from;
    const char* to;
    const char* want;
  };
  const Row row = GENERATE(values<Row>({
      {"\"host[0:2]\"", "\"hosts\"", "f:38:19: error: there is no instance 'hosts'\n"},
      {"\"host[0:2]\"", "\"host[0:9]\"",
       "f:38:19: error: host[0:9] is not among the 4 there are\n"},
      {"\"host[0:2]\"", "\"host[a]\"",
       "f:38:19: error: 'host[a]' is no name with a slice (write for example host[0:2])\n"},
      {"\"nic[0]\"", "\"nick\"", "f:38:43: error: 'host' has no component 'nick'\n"},
      {"scheme: one2one", "scheme: ring",
       "f:40:11: error: the scheme 'ring' is not known (known: one2one, many2many)\n"},
      {"link: leaf-link", "link: leaf", "f:38:3: error: there is no link 'leaf'\n"},
      {"device: tomahawk, count: 2", "device: toma, count: 2",
       "f:35:24: error: there is no device 'toma'\n"},
      {"count: 4}", "count: 9999999}",
       "f:34:39: error: 'count' is 9999999, must be at most 1048576\n"},
  }));
  std::string text = good;
  const std::size_t at = text.find(row.from);
  REQUIRE(at != std::string::npos);
  text.replace(at, std::string(row.from).size(), row.to);
  INFO(row.to);
  CHECK(mistakes_of("infragraph", text) == row.want);
  CHECK(mistakes_of("infragraph", "devices: []\ninstances: []\nconnections: [a.b]\n") ==
        "f:3:15: error: 'a.b' is no connection (write for example "
        "host.0.nic.1.eth.leaf.0.port.3)\n");
}

/// Two tiers with rails: node i's NIC r to leaf r, leaves to all spines by several cables.
FoundCluster rails(std::mt19937& random) {
  FoundCluster cluster;
  cluster.sources.push_back({"made up", "rails", ""});
  const std::size_t nodes = 1 + random() % 8;
  const std::size_t leaves = 1 + random() % 4;
  const std::size_t spines = 1 + random() % 3;
  for (std::size_t i = 0; i < nodes; ++i) {
    FoundNode node;
    node.name = fmt::format("dgx-{:02}", i);
    node.gpus = 8;
    for (std::size_t r = 0; r < leaves; ++r) {
      FoundNic nic;
      nic.name = fmt::format("mlx5_{}", r);
      node.nics.push_back(std::move(nic));
    }
    cluster.nodes.push_back(std::move(node));
  }
  for (std::size_t i = 0; i < leaves + spines; ++i) {
    FoundSwitch made;
    made.id = i < leaves ? fmt::format("leaf-{}", i) : fmt::format("spine-{}", i - leaves);
    cluster.switches.push_back(std::move(made));
  }
  using At = CableEnd::At;
  const double rates[] = {0, 2.5, 400, 800};
  int port = 0;
  for (std::size_t i = 0; i < nodes; ++i)
    for (std::size_t r = 0; r < leaves; ++r)
      cluster.cables.push_back({{At::node, i, fmt::format("mlx5_{}", r), ""},
                                {At::fabric_switch, r, "", fmt::format("swp{}", port++)},
                                base::BytesPerSecond::from_gbit(rates[random() % 4])});
  for (std::size_t leaf = 0; leaf < leaves; ++leaf)
    for (std::size_t spine = leaves; spine < leaves + spines; ++spine)
      for (auto parallel = 1 + random() % 3; parallel > 0; --parallel)
        cluster.cables.push_back({{At::fabric_switch, leaf, "", fmt::format("swp{}", port++)},
                                  {At::fabric_switch, spine, "", fmt::format("swp{}", port++)},
                                  base::BytesPerSecond::from_gbit(rates[random() % 4])});
  return cluster;
}

TEST_CASE("fabrics made up by chance are written as InfraGraph and read as they were") {
  std::mt19937 random(3);
  for (int round = 0; round < 50; ++round) {
    const FoundCluster cluster = rails(random);
    const auto out = write_infragraph(cluster);
    REQUIRE(out);
    INFO(out->text);
    CHECK(detected(out->text) == "infragraph");
    const auto again = read_as("infragraph", out->text);
    INFO((again ? "" : text_of(again.error())));
    REQUIRE(again);
    CHECK(cables_of(*again) == cables_of(cluster));
    CHECK(again->nodes.size() == cluster.nodes.size());
    CHECK(again->nodes[0].gpus == 8);
    CHECK(again->nodes[0].nics.size() == cluster.nodes[0].nics.size());
    CHECK(out->notes.empty());
  }
  FoundCluster cluster = rails(random);
  cluster.cables.front().state = CableState::down;
  CHECK(text_of(write_infragraph(cluster)->notes) ==
        "foreshard: warning: 1 cables that are down are left out\n");
  cluster.cables.clear();
  CHECK(text_of(write_infragraph(cluster).error()) ==
        "rails: error: no cables are known, and InfraGraph is made of them (import a dump of the "
        "fabric, for example of ibnetdiscover)\n");
}

TEST_CASE("GraphML has a vertex for each device and an edge for each cable") {
  std::mt19937 random(4);
  FoundCluster cluster = rails(random);
  cluster.switches[0].name = "leaf <0> & \x01";
  const auto out = write_graphml(cluster);
  REQUIRE(out);
  pugi::xml_document document;
  REQUIRE(document.load_string(out->text.c_str()));
  const pugi::xml_node graph = document.child("graphml").child("graph");
  std::size_t vertices = 0;
  std::size_t edges = 0;
  std::set<std::string> ids;
  for (const pugi::xml_node& node : graph.children("node")) {
    ++vertices;
    ids.insert(node.attribute("id").value());
  }
  for (const pugi::xml_node& edge : graph.children("edge")) {
    ++edges;
    CHECK(ids.contains(edge.attribute("source").value()));
    CHECK(ids.contains(edge.attribute("target").value()));
  }
  CHECK(vertices == cluster.nodes.size() + cluster.switches.size());
  CHECK(ids.size() == vertices);
  CHECK(edges == cluster.cables.size());
  CHECK(out->text.find("leaf &lt;0&gt; &amp; ?") != std::string::npos);

  // Without cables the tree: 2 nodes, 2 switches, 3 edges.
  FoundCluster tree;
  tree.levels = {"spine", "leaf"};
  for (const char* name : {"a", "b"}) {
    FoundNode node;
    node.name = name;
    node.domains = {"s", "l 1"};
    tree.nodes.push_back(node);
  }
  const auto of_tree = write_graphml(tree);
  REQUIRE(of_tree);
  REQUIRE(document.load_string(of_tree->text.c_str()));
  const auto edges_of_tree = document.child("graphml").child("graph").children("edge");
  CHECK(std::distance(edges_of_tree.begin(), edges_of_tree.end()) == 3);
  CHECK(of_tree->text.find("l 1") != std::string::npos);
}

}  // namespace
}  // namespace topology
