#pragma once

#include <map>
#include <vector>

#include "calibrate/profile.hpp"
#include "sim/step_graph.hpp"
#include "strategies/model.hpp"
#include "strategies/plan.hpp"
#include "strategies/shard.hpp"
#include "topology/cluster.hpp"

namespace sim {

/// Algorithms that a user sets himself, by operation, whatever the backend would choose.
using ForcedAlgorithms = std::map<base::Collective, base::CollectiveAlgorithm>;

/// What a step is built from; all of it outlives the call only.
struct StepInput {
  const strategies::ModelSpec& model;
  const strategies::Plan& plan;
  const strategies::ShardedGraph& sharded;
  const topology::Cluster& cluster;
  const std::vector<topology::GpuId>& gpu_of_rank;
  const calibrate::Profile& profile;
  ForcedAlgorithms forced = {};
};

/// Lays out one training step: the schedule's cells of every pipeline stage, the data-parallel
/// collectives between them, the optimizer, and memory. One Program per stage.
StepGraph build_step(const StepInput& input);

}  // namespace sim
