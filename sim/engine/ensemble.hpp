#pragma once

#include <span>
#include <vector>

#include "sim/engine.hpp"
#include "sim/engine/fabric.hpp"
#include "sim/engine/player.hpp"

namespace sim::engine {

/// `simulate` of several jobs over any fabric: see there.
Ensemble play_in_child(std::span<const PlacedStep> jobs, const Fabric& fabric,
                       const PlayOptions& options, int steps);

/// The one step of a single job.
Timeline play_in_child(const StepGraph& graph, const Fabric& fabric,
                       const std::vector<topology::GpuId>& gpu_of_rank, const PlayOptions& options);

}  // namespace sim::engine
