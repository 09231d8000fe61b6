#pragma once

#include "base/diagnostic.hpp"
#include "sim/workload.hpp"

/// Internal to reading a workload.
namespace sim {

/// Puts the jobs of a replay, its rungs, in order, and gives each job of the trace the smallest
/// rung that has its GPUs; what was left out or rounded goes to `problems`. \pre the workload has
/// both
void pair_with_rungs(Workload& workload, base::Diagnostics& problems);

}  // namespace sim
