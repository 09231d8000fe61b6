#pragma once

#include <string>
#include <vector>

#include "sim/step_comparison.hpp"
#include "sim/step_graph.hpp"
#include "sim/timeline.hpp"
#include "topology/cluster.hpp"

namespace viz {

/// "foreshard.timeline.v1", what a viewer draws a step from: columns of equal length instead of an
/// object a span, so that a million spans stay a few megabytes. A class of ranks (one program, its
/// lowest rank) has streams; a stream has spans in order: `name` and `kind` index `names` and
/// `kinds`, times are whole nanoseconds, `gap_ns` counts from the end of the span before, `segment`
/// is -1 for transfers, `critical` are the places of spans whose task is on the critical path, on
/// this rank or another of its class. What is inside a segment is written once a class: what its
/// kernels were priced at and what its collectives, alone, take beyond them; a viewer scales that
/// to the span, as sim::piece_lengths does. Messages are between the classes shown.
///
/// `executed` lies beside the forecast where there is one: the same classes once more.
std::string timeline_json(const std::string& scenario, const sim::StepGraph& graph,
                          const sim::Timeline& timeline);
std::string timeline_json(const std::string& scenario, const sim::StepGraph& graph,
                          const sim::Timeline& timeline,
                          const std::vector<sim::RankStep>& executed);

/// "foreshard.ranks.v1": the node and the GPU of each rank, and of each communicator that the step
/// uses the group of each rank. Nodes by their place in `nodes`.
std::string ranks_json(const sim::StepGraph& graph, const topology::Cluster& cluster,
                       const std::vector<topology::GpuId>& gpu_of_rank);

}  // namespace viz
