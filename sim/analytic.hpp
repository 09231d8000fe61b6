#pragma once

#include <vector>

#include "sim/step_graph.hpp"
#include "sim/timeline.hpp"
#include "topology/cluster.hpp"

namespace sim {

/// The step without contention: longest path through the programs with every collective and message
/// at its cost when alone, one representative rank per program. A lower bound of `simulate`, in
/// microseconds to milliseconds. The Timeline holds the spans of all ranks' programs: ranks of one
/// program share the representative's spans (first_span entries repeat).
Timeline analyse(const StepGraph& graph, const topology::Cluster& cluster,
                 const std::vector<topology::GpuId>& gpu_of_rank);

}  // namespace sim
