#pragma once

#include <vector>

#include "sim/autoshard/profile_prices.hpp"
#include "sim/step_graph.hpp"
#include "strategies/autoshard/solution.hpp"
#include "strategies/autoshard/tensor_graph.hpp"
#include "strategies/model.hpp"
#include "strategies/plan.hpp"

namespace sim::autoshard {

/// What a sharded step is built from; all of it outlives the call only.
struct ShardedStepInput {
  const strategies::ModelSpec& model;
  const strategies::Plan& plan;  ///< its optimizer and precision
  const strategies::autoshard::TensorGraph& graph;
  const strategies::autoshard::Problem& problem;  ///< make_problem() of the graph
  const strategies::autoshard::Solution& solution;
  const PlacedMesh& placed;
  const topology::Cluster& cluster;
  const calibrate::Profile& profile;
};

struct ShardedStep {
  StepGraph graph;  ///< one program for all ranks
  /// By task of the program: the edge of the problem that it is a collective of; -1: of none.
  std::vector<int> edge_of_task;
};

/// The step as all ranks of the mesh run it, with every copy of every layer and all micro-batches.
///
/// Kernels run in graph order on the compute stream. Each collective is a task on the stream of its
/// communicator; it begins as soon as what it moves is there, but: parameters are gathered while
/// the block before is computed (one block ahead, as FSDP does); what backward reads of forward is
/// moved when its block begins. A gradient is reduced as soon as it is made; with several
/// micro-batches, as the solution has it, each time or when the last one is added. The optimizer
/// waits for all. Copies around collectives are kernels of the compute stream. No time of the host
/// is in it: the graph is taken as compiled.
///
/// Mesh dims are axes of the grid, the last one fastest: `tensor`, `context` (the middle of three)
/// and `data_shard`; these names say nothing of what the dim is used for.
///
/// Memory: parameters, gradients, optimizer states and activations in the layouts that were chosen,
/// from when they are made to when they are last read; views and fused kernels share memory.
ShardedStep build_sharded_step(const ShardedStepInput& input);

}  // namespace sim::autoshard
