#include "topology/upgrade.hpp"

#include <memory>

#include "topology/graph.hpp"

namespace topology {

namespace {

bool joins_gpus(DeviceKind kind) { return kind == DeviceKind::gpu || kind == DeviceKind::nvswitch; }

}  // namespace

bool is_scale_up(const Cluster& cluster, const Link& link) {
  return joins_gpus(cluster.device(link.from).kind) && joins_gpus(cluster.device(link.to).kind);
}

bool is_inside_node(const Cluster& cluster, const Link& link) {
  const int node = cluster.device(link.from).node;
  return node >= 0 && node == cluster.device(link.to).node;
}

Cluster with_faster_links(const Cluster& cluster, double factor,
                          const std::function<bool(const Link&)>& which) {
  const Graph& before = cluster.graph();
  const auto graph = std::make_shared<Graph>();
  static_cast<GraphBase&>(*graph) = before;
  graph->fabric = before.fabric;
  graph->levels = before.levels;
  graph->custom_types = before.custom_types;
  graph->links.resize(before.links.size());
  for (auto [edge, end] = boost::edges(*graph); edge != end; ++edge) {
    Cable& cable = (*graph)[*edge];
    if (which(cable)) cable.rate = cable.rate * factor;
    graph->links[cable.id] = &cable;
  }
  const auto owner = std::make_shared<const Cluster>(cluster);  // of the registry, among others
  return Cluster(graph, cluster.nodes(),
                 std::shared_ptr<const HardwareRegistry>(owner, &owner->registry()),
                 cluster.notes());
}

}  // namespace topology
