#include <fmt/format.h>

#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/graphml.hpp>
#include <sstream>

#include "base/name_table.hpp"
#include "base/parsing.hpp"
#include "topology/export/tree.hpp"
#include "topology/export/writers.hpp"
#include "topology/found_cluster_names.hpp"

namespace topology {

namespace {

struct Vertex {
  std::string name;
  std::string kind;  ///< "node" or "switch"
  std::string model;
  int tier = 0;  ///< 0: a node
  int rail = -1;
  int gpus = -1;
};

struct Edge {
  double gbit = 0;  ///< 0: unknown
  std::string state;
  std::string from;  ///< NIC or port at the source
  std::string to;
};

using Graph = boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS, Vertex, Edge>;

/// XML has no place for control characters and bytes that are not UTF-8.
std::string printable(std::string text) {
  const bool broken = base::find_binary(text, "").has_value();
  for (char& c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F || (broken && byte >= 0x80)) c = '?';
  }
  return text;
}

Vertex vertex_of(const FoundNode& node) {
  return {printable(node.name), "node", printable(node.type), 0, -1, node.gpus};
}

Graph graph_of_cables(const FoundCluster& cluster) {
  Graph graph;
  for (const FoundNode& node : cluster.nodes) add_vertex(vertex_of(node), graph);
  for (std::size_t i = 0; i < cluster.switches.size(); ++i) {
    const FoundSwitch& one = cluster.switches[i];
    add_vertex({printable(name_of(one)), "switch", printable(one.model), one.tier, one.rail, -1},
               graph);
  }
  const auto vertex = [&](const CableEnd& end) {
    return end.index + (end.at == CableEnd::At::node ? 0 : cluster.nodes.size());
  };
  const auto device = [](const CableEnd& end) {
    return printable(end.nic.empty() || end.port.empty() ? end.nic + end.port
                                                         : end.nic + "/" + end.port);
  };
  for (const FoundCable& cable : cluster.cables)
    add_edge(vertex(cable.a), vertex(cable.b),
             {cable.rate.gbit(), std::string(base::name_in(cable_state_names, cable.state)),
              device(cable.a), device(cable.b)},
             graph);
  return graph;
}

Graph graph_of_tree(const ExportTree& tree) {
  Graph graph;
  for (const FoundNode* node : tree.nodes) add_vertex(vertex_of(*node), graph);
  for (std::size_t i = 0; i < tree.switches.size(); ++i) {
    const ExportSwitch& one = tree.switches[i];
    const std::size_t self =
        add_vertex({printable(one.name), "switch", "", one.height, -1, -1}, graph);
    if (one.parent) add_edge(tree.nodes.size() + *one.parent, self, {0, "", "", ""}, graph);
    for (const std::size_t node : one.nodes) add_edge(self, node, {0, "", "", ""}, graph);
  }
  return graph;
}

std::string text_of(Graph& graph) {
  boost::dynamic_properties properties;
  properties.property("name", get(&Vertex::name, graph));
  properties.property("kind", get(&Vertex::kind, graph));
  properties.property("model", get(&Vertex::model, graph));
  properties.property("tier", get(&Vertex::tier, graph));
  properties.property("rail", get(&Vertex::rail, graph));
  properties.property("gpus", get(&Vertex::gpus, graph));
  properties.property("gbit_per_s", get(&Edge::gbit, graph));
  properties.property("state", get(&Edge::state, graph));
  properties.property("source_port", get(&Edge::from, graph));
  properties.property("target_port", get(&Edge::to, graph));
  std::ostringstream out;
  boost::write_graphml(out, graph, properties, true);
  return out.str();
}

}  // namespace

base::Result<Exported> write_graphml(const FoundCluster& cluster) {
  Exported out;
  if (!cluster.cables.empty()) {
    Graph graph = graph_of_cables(cluster);
    out.text = text_of(graph);
    return out;
  }
  const ExportRules rules{.name_max = 1000, .letters = {}};
  const auto tree = export_tree(cluster, rules, out.notes);
  if (!tree) return tl::unexpected(tree.error());
  Graph graph = graph_of_tree(*tree);
  out.text = text_of(graph);
  out.notes.push_back({tree->nodes.front()->where,
                       "no cables are known: an edge says only which switch is above which", "",
                       base::Severity::note});
  return out;
}

}  // namespace topology
