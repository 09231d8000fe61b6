#include "sim/queue/profile.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "base/check.hpp"
#include "sim/analytic.hpp"
#include "sim/engine/fabric.hpp"
#include "sim/engine/script.hpp"
#include "sim/engine/traffic.hpp"

namespace sim::queue {

namespace {

void stretch(calibrate::CollectiveCost& cost, double factor) {
  cost.total.time = cost.latency + base::Seconds::from_s(cost.wire_time() * factor);
}

/// The step when all that leaves a node takes `factor` times as long on the wire.
double stretched(StepGraph graph, const topology::Cluster& cluster,
                 const std::vector<topology::GpuId>& gpu_of_rank, double factor) {
  for (CollectiveUse& use : graph.collectives) {
    const std::vector<calibrate::GroupShape>& shapes = graph.groups_of(use.axes).shapes;
    for (std::size_t shape = 0; shape < shapes.size(); ++shape)
      if (shapes[shape].nodes > 1) stretch(use.cost[shape], factor);
  }
  for (Message& message : graph.messages) stretch(message.cost[1], factor);
  return analyse(graph, cluster, gpu_of_rank).step.s();
}

}  // namespace

Profile profile_of(const StepGraph& graph, const topology::Cluster& cluster,
                   const std::vector<topology::GpuId>& gpu_of_rank,
                   const topology::RoutingOptions& routing) {
  std::vector<int> nodes;  // in the order of ranks
  std::vector<int> ranks;
  std::vector<int> place_of_rank;
  for (const topology::GpuId gpu : gpu_of_rank) {
    const int node = cluster.node_of(gpu);
    const auto found = std::find(nodes.begin(), nodes.end(), node);
    place_of_rank.push_back(static_cast<int>(found - nodes.begin()));
    if (found == nodes.end()) {
      nodes.push_back(node);
      ranks.push_back(0);
    }
    ++ranks[static_cast<std::size_t>(place_of_rank.back())];
  }
  Profile profile;
  profile.request = {static_cast<int>(nodes.size()), *std::max_element(ranks.begin(), ranks.end())};
  profile.alone = stretched(graph, cluster, gpu_of_rank, 1);
  if (nodes.size() == 1) return profile;

  const double at_four = stretched(graph, cluster, gpu_of_rank, 4);
  const double at_eight = stretched(graph, cluster, gpu_of_rank, 8);
  profile.critical = std::max(0.0, (at_eight - at_four) / 4);
  profile.slack = std::max(0.0, 7 * profile.critical - (at_eight - profile.alone));

  const engine::Fabric fabric = engine::fabric_of(cluster, routing);
  const engine::Script script(graph);
  const engine::Traffic traffic(graph, script, fabric, gpu_of_rank, false);
  std::map<std::pair<int, int>, double> bytes;
  traffic.each_flow([&](const engine::Traffic::Flow& flow, double amount) {
    const int from = place_of_rank[static_cast<std::size_t>(flow.from)];
    const int to = place_of_rank[static_cast<std::size_t>(flow.to)];
    if (from != to) bytes[{from, to}] += amount;
  });
  std::vector<double> out(nodes.size(), 0);
  for (const auto& [pair, amount] : bytes) {
    profile.flows.push_back({pair.first, pair.second, amount});
    out[static_cast<std::size_t>(pair.first)] += amount;
  }
  profile.wire = profile.critical;
  const std::vector<double> rates = nic_rates(cluster);
  for (std::size_t place = 0; place < nodes.size(); ++place) {
    const double rate = rates[static_cast<std::size_t>(nodes[place])];
    if (rate > 0) profile.wire = std::max(profile.wire, out[place] / rate);
  }
  return profile;
}

}  // namespace sim::queue
