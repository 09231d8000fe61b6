#pragma once

#include <fmt/format.h>

#include <vector>

#include "sim/queue/queue.hpp"
#include "sim/queue/sharing.hpp"

/// Trees and jobs of queues, small enough to work out by hand.
namespace sim::queue {

/// A tree of leaves with so many nodes each, and an uplink of `uplink` bytes a second.
inline Tree leaves(const std::vector<int>& nodes, double uplink = 48e9) {
  Tree::Level cluster{"cluster", {"cluster"}, {}, {0}, {{}}, {}};
  Tree::Level leaf{"leaf", {}, {}, {}, {}, {}};
  Tree::Level node{"node", {}, {}, {}, {}, {}};
  for (int l = 0; l < static_cast<int>(nodes.size()); ++l) {
    leaf.domains.push_back(fmt::format("leaf-{}", l));
    leaf.uplink.push_back(uplink);
    leaf.children.emplace_back();
    cluster.children.front().push_back(l);
    for (int i = 0; i < nodes[static_cast<std::size_t>(l)]; ++i) {
      const int index = static_cast<int>(node.domains.size());
      leaf.children.back().push_back(index);
      node.domains.push_back(fmt::format("node-{}", index));
      node.uplink.push_back(48e9);
      node.of_node.push_back(index);
      leaf.of_node.push_back(l);
      cluster.of_node.push_back(0);
    }
  }
  return {{cluster, leaf, node}, {}, {}};
}

/// A ring of nodes that computes, then sends at 48 GB/s for `wire_ms`. Computing hides what
/// transfers take longer up to `slack_ms`.
inline Profile ring(int nodes, double compute_ms, double wire_ms, int gpus = 8,
                    double slack_ms = 0) {
  Profile made;
  made.request = {nodes, gpus};
  made.demand.step = (compute_ms + wire_ms) * 1e-3;
  made.demand.slots = nodes;
  made.grid = strategies::RankGrid({1, 1, nodes * gpus, 1, 1}, strategies::default_order);
  made.wire = wire_ms * 1e-3;
  if (nodes == 1 || wire_ms == 0) return made;
  place::Demand demand;
  demand.alone = made.wire;
  const double hidden = slack_ms / wire_ms;
  demand.growth = {{1, 0}, {1 + hidden, 0}, {2 + hidden, made.wire}};
  if (slack_ms == 0) demand.growth.erase(demand.growth.begin());
  for (int i = 0; i < nodes; ++i) demand.edges.push_back({i, (i + 1) % nodes, 48e9 * made.wire, 0});
  made.demand.demands.push_back(std::move(demand));
  return made;
}

inline std::vector<int> nodes_placed(const char* policy, const Occupancy& occupancy,
                                     const Request& request) {
  Profile job;
  job.request = request;
  return find_policy(policy)->place(occupancy, job, {}).value_or(std::vector<int>{});
}

}  // namespace sim::queue
