#pragma once

#include <vector>

#include "sim/step_graph.hpp"
#include "sim/timeline.hpp"
#include "topology/cluster.hpp"

namespace sim {

/// The step without contention: longest path through the programs with every collective and message
/// at its cost when alone, one representative rank per program and pipeline stage. A lower bound of
/// `simulate`, in microseconds to milliseconds. The Timeline holds the spans of the
/// representatives: ranks of one class share them (first_span entries repeat).
Timeline analyse(const StepGraph& graph, const topology::Cluster& cluster,
                 const std::vector<topology::GpuId>& gpu_of_rank);

/// The same, knowing of the cluster only the scale-up domain of each GPU.
Timeline analyse(const StepGraph& graph, const std::vector<int>& domain_of_gpu,
                 const std::vector<topology::GpuId>& gpu_of_rank);

}  // namespace sim
