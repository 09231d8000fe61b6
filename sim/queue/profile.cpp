#include "sim/queue/profile.hpp"

#include <algorithm>

#include "sim/queue/tree.hpp"

namespace sim::queue {

double Profile::step_at(double stretch) const {
  double step = demand.step;
  for (const place::Demand& one : demand.demands) step += one.growth_at(stretch);
  return step;
}

Profile profile_of(const StepGraph& graph, const topology::Cluster& cluster,
                   const std::vector<topology::GpuId>& gpu_of_rank, const Request& request) {
  Profile profile;
  profile.request = request;
  profile.demand = place::demand_of(graph, cluster, gpu_of_rank, request.gpus);
  profile.grid = graph.grid;
  std::vector<double> out(static_cast<std::size_t>(profile.demand.slots), 0);
  for (const place::Demand& one : profile.demand.demands) {
    profile.wire += one.alone;
    for (const place::Edge& edge : one.edges)
      out[static_cast<std::size_t>(edge.from)] += edge.bytes;
  }
  const std::vector<double> rates = nic_rates(cluster);
  for (std::size_t slot = 0; slot < out.size(); ++slot) {
    const topology::GpuId gpu = gpu_of_rank[slot * static_cast<std::size_t>(request.gpus)];
    const double rate = rates[static_cast<std::size_t>(cluster.node_of(gpu))];
    if (rate > 0) profile.wire = std::max(profile.wire, out[slot] / rate);
  }
  return profile;
}

}  // namespace sim::queue
