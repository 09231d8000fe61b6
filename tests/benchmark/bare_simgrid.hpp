#pragma once

#include "sim/step_graph.hpp"
#include "topology/cluster.hpp"

namespace sim::benchmark {

/// CPU seconds that SimGrid needs for one transfer when it is used in the plain way: an actor a
/// rank, mailboxes, and the same routes; each rank sends to its neighbours along the data-parallel
/// and pipeline axes in turn. Measured over at most some hundred thousand transfers, in a child.
double bare_seconds_per_transfer(const StepGraph& graph, const topology::Cluster& cluster);

}  // namespace sim::benchmark
