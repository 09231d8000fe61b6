#pragma once

#include <vector>

#include "base/units.hpp"
#include "sim/step_graph.hpp"
#include "sim/timeline.hpp"

namespace sim {

/// By task of the program of `rank`: how long its compute stream did nothing while that task of
/// another stream moved data that it waited for. See break_down, which adds the same up by kinds.
std::vector<base::Seconds> exposed_by_task(const StepGraph& graph, const Timeline& timeline,
                                           int rank);

}  // namespace sim
