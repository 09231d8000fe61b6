#pragma once

#include <string>
#include <vector>

#include "sim/engine.hpp"
#include "sim/queue/policy.hpp"
#include "sim/step_graph.hpp"
#include "topology/cluster.hpp"

namespace sim::queue {

/// What a step needs of the network, wherever its nodes are.
struct Profile {
  /// Bytes of a step from one node of the job to another, by their places in it.
  struct Flow {
    int from = 0;
    int to = 0;
    double bytes = 0;
  };
  Request request;
  double alone = 0;  ///< seconds of a step where no link between switches holds it up
  /// Seconds in which it is on the network, where its NICs are all that limits it.
  double wire = 0;
  /// When its transfers take sigma times as long, a step takes alone + max(0, critical x (sigma -
  /// 1) - slack): `critical` of them stand one behind the other, and computing hides `slack`.
  double critical = 0;
  double slack = 0;
  std::vector<Flow> flows;
};

/// Of a step as it was built for these GPUs. `critical` and `slack` are those of the longest path
/// when transfers between nodes take four and eight times as long.
Profile profile_of(const StepGraph& graph, const topology::Cluster& cluster,
                   const std::vector<topology::GpuId>& gpu_of_rank,
                   const topology::RoutingOptions& routing);

}  // namespace sim::queue
