#pragma once

#include <boost/graph/adjacency_list.hpp>
#include <memory>
#include <string>
#include <vector>

#include "topology/cluster.hpp"

/// The graph behind a Cluster; internal to the module.
namespace topology {

/// What an edge of the graph carries.
struct Cable : Link {
  LinkId id = 0;
};

using GraphBase = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS, Device, Cable>;

struct Graph : GraphBase {
  Graph() = default;
  Graph(const Graph&) = delete;  // `links` points into the edges
  Graph& operator=(const Graph&) = delete;

  std::vector<Link*> links;         ///< by LinkId
  std::string fabric;               ///< Cluster::fabric()
  std::vector<std::string> levels;  ///< Cluster::levels()
  std::vector<std::shared_ptr<const NodeType>> custom_types;
};

DeviceId add_device(Graph& graph, DeviceKind kind, std::string name, int node = -1, int rail = -1);

/// Both directions of one cable: two links, the second with the next id. \returns the first.
LinkId add_cable(Graph& graph, DeviceId a, DeviceId b, base::BytesPerSecond rate,
                 base::Seconds latency, int rail = -1);

inline bool is_switch(DeviceKind kind) {
  return kind == DeviceKind::leaf || kind == DeviceKind::spine || kind == DeviceKind::core;
}

}  // namespace topology
