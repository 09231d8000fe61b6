#pragma once

#include <random>
#include <string>
#include <vector>

#include "sim/place/assign.hpp"
#include "sim/place/search.hpp"
#include "tests/sim/contention_support.hpp"
#include "topology/cluster.hpp"

/// Networks and demands for tests of placement.
namespace sim::place {

/// Nodes of eight H100 whose switches are their paths of domains: "a/b" hangs from b below a.
inline topology::Cluster tree_cluster(const std::vector<std::string>& paths,
                                      double oversubscription = 4,
                                      const std::vector<std::string>& levels = {"pod", "rack"}) {
  topology::ClusterSpec spec;
  for (const std::string& path : paths) {
    topology::NodeSpec node{.name = fmt::format("n{}", spec.nodes.size()),
                            .type = topology::shipped_registry()->find_node("dgx-h100"),
                            .usable_gpus = 8};
    for (std::size_t begin = 0; begin <= path.size();) {
      const std::size_t end = std::min(path.find('/', begin), path.size());
      node.domains.push_back(path.substr(begin, end - begin));
      begin = end + 1;
    }
    spec.nodes.push_back(std::move(node));
  }
  spec.fabric_from_domains = true;
  spec.levels = levels;
  spec.fabric.oversubscription = oversubscription;
  spec.fabric.core_oversubscription = 2;
  return topology::build_cluster(spec, topology::shipped_registry()).value();
}

/// A demand that takes `alone` seconds alone and whose every second more is one of the step.
inline Demand plain_demand(std::vector<Edge> edges, double alone) {
  Demand demand;
  demand.name = "data over dp";
  demand.edges = std::move(edges);
  demand.alone = alone;
  demand.growth = {{1, 0}, {2, alone}};
  return demand;
}

/// A ring over some slots, `bytes` over each hop.
inline void add_ring(std::vector<Edge>& edges, const std::vector<int>& slots, double bytes) {
  for (std::size_t i = 0; i < slots.size(); ++i)
    edges.push_back({slots[i], slots[(i + 1) % slots.size()], bytes});
}

/// Slots in a row: a grid of nothing but data-parallel ranks.
inline strategies::RankGrid row_of(int slots) {
  return strategies::RankGrid({1, 1, slots, 1, 1}, strategies::default_order);
}

inline std::vector<int> first_nodes(int count) {
  std::vector<int> nodes;
  for (int i = 0; i < count; ++i) nodes.push_back(i);
  return nodes;
}

}  // namespace sim::place
