#include "topology/switch_graph.hpp"

#include "topology/graph.hpp"

namespace topology {

SwitchGraph::SwitchGraph(const Cluster& cluster) : index_(cluster.device_count(), none) {
  const Graph& graph = cluster.graph();
  for (DeviceId id = 0; id < cluster.device_count(); ++id)
    if (is_switch(cluster.device(id).kind)) {
      index_[id] = size();
      devices_.push_back(id);
    }
  for (const DeviceId id : devices_) {
    first_hop_.push_back(static_cast<std::uint32_t>(hops_.size()));
    for (auto [edge, end] = boost::out_edges(id, graph); edge != end; ++edge) {
      const std::uint32_t to = index_[boost::target(*edge, graph)];
      if (to != none && !graph[*edge].down) hops_.push_back({graph[*edge].id, to});
    }
  }
  first_hop_.push_back(static_cast<std::uint32_t>(hops_.size()));
  distances_.resize(size());
  number_parts();
}

void SwitchGraph::number_parts() {
  part_.assign(size(), none);
  std::vector<std::uint32_t> open;
  for (std::uint32_t first = 0; first < size(); ++first) {
    if (part_[first] != none) continue;
    part_[first] = first;
    open.push_back(first);
    while (!open.empty()) {
      const std::uint32_t at = open.back();
      open.pop_back();
      for (const Hop& hop : hops(at)) {
        if (part_[hop.to] != none) continue;
        part_[hop.to] = first;
        open.push_back(hop.to);
      }
    }
  }
}

/// Breadth-first search from `target`; cables go both ways, so it runs over outgoing links.
const std::vector<std::uint16_t>& SwitchGraph::distances_to(std::uint32_t target) {
  std::vector<std::uint16_t>& distance = distances_[target];
  if (!distance.empty()) return distance;
  distance.assign(size(), unreachable);
  distance[target] = 0;
  std::vector<std::uint32_t> queue{target};
  for (std::size_t head = 0; head < queue.size(); ++head) {
    const std::uint32_t at = queue[head];
    for (const Hop& hop : hops(at)) {
      if (distance[hop.to] != unreachable) continue;
      distance[hop.to] = static_cast<std::uint16_t>(distance[at] + 1);
      queue.push_back(hop.to);
    }
  }
  return distance;
}

}  // namespace topology
