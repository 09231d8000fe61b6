#include "topology/graph.hpp"

#include <utility>

namespace topology {

namespace {

LinkId add_link(Graph& graph, DeviceId from, DeviceId to, base::BytesPerSecond rate,
                base::Seconds latency, int rail) {
  Cable cable;
  cable.from = from;
  cable.to = to;
  cable.rate = rate;
  cable.latency = latency;
  cable.rail = rail;
  cable.id = static_cast<LinkId>(graph.links.size());
  const auto edge = boost::add_edge(from, to, cable, graph).first;
  graph.links.push_back(&graph[edge]);
  return cable.id;
}

}  // namespace

DeviceId add_device(Graph& graph, DeviceKind kind, std::string name, int node, int rail) {
  const auto id = boost::add_vertex(graph);
  const int tier = kind == DeviceKind::leaf    ? 1
                   : kind == DeviceKind::spine ? 2
                   : kind == DeviceKind::core  ? 3
                                               : 0;
  graph[id] = {kind, std::move(name), node, rail, tier};
  return static_cast<DeviceId>(id);
}

LinkId add_cable(Graph& graph, DeviceId a, DeviceId b, base::BytesPerSecond rate,
                 base::Seconds latency, int rail) {
  const LinkId first = add_link(graph, a, b, rate, latency, rail);
  add_link(graph, b, a, rate, latency, rail);
  return first;
}

}  // namespace topology
