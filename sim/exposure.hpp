#pragma once

#include <map>
#include <vector>

#include "base/units.hpp"
#include "sim/step_graph.hpp"
#include "sim/timeline.hpp"

namespace sim {

/// By task of the program of `rank`: how long its compute stream did nothing while that task of
/// another stream moved data that it waited for. See break_down, which adds the same up by kinds.
std::vector<base::Seconds> exposed_by_task(const StepGraph& graph, const Timeline& timeline,
                                           int rank);

/// By kind of the collectives inside a segment of `rank`: the share of what the segment took beyond
/// its kernels, adding up to 1. By what each is longer than the kernels beside it when alone; where
/// all are hidden then, by their lengths. Empty when nothing in it takes time to say.
std::map<CommKind, double> waits_by_kind(const StepGraph& graph, const Segment& segment, int rank);

}  // namespace sim
