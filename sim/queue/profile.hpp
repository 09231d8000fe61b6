#pragma once

#include <vector>

#include "sim/place/demand.hpp"
#include "sim/step_graph.hpp"
#include "strategies/rank_grid.hpp"
#include "topology/cluster.hpp"

namespace sim::queue {

/// What a job needs at once: so many nodes with so many free GPUs each.
struct Request {
  int nodes = 1;
  int gpus = 1;  ///< of each node

  auto operator<=>(const Request&) const = default;
};

/// What a kind of job needs of nodes and network, wherever they are.
struct Profile {
  Request request;
  place::StepDemand demand;  ///< a slot is a node of the request
  strategies::RankGrid grid{{1, 1, 1, 1, 1}, strategies::default_order};
  /// Seconds of a step in which it is on the network, where its NICs are all that limits it.
  double wire = 0;

  /// Seconds of a step where no link between switches holds it up.
  double alone() const { return demand.step; }
  /// … when all that it sends between nodes takes `stretch` times as long.
  double step_at(double stretch) const;
};

/// Of a step as it was built for these GPUs, `request.gpus` of them on each node.
/// \pre `request.gpus` divides the ranks, or is no less
Profile profile_of(const StepGraph& graph, const topology::Cluster& cluster,
                   const std::vector<topology::GpuId>& gpu_of_rank, const Request& request);

}  // namespace sim::queue
