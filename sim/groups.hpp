#pragma once

#include <vector>

#include "sim/step_graph.hpp"
#include "strategies/rank_grid.hpp"
#include "topology/cluster.hpp"

namespace sim {

/// Where the members of one communicator sit: nodes touched, rates of the links that they use.
/// The slowest node's links count.
calibrate::GroupShape shape_of(const std::vector<topology::GpuId>& members,
                               const topology::Cluster& cluster);

/// A GPU and a peer like it, in its scale-up domain or across the network.
calibrate::GroupShape pair_shape(const topology::Cluster& cluster, topology::GpuId gpu,
                                 bool across);

/// Shapes of all groups of a set of axes, equal ones shared.
StepGraph::Groups group_shapes(const strategies::RankGrid& grid, strategies::AxisSet axes,
                               const topology::Cluster& cluster,
                               const std::vector<topology::GpuId>& gpu_of_rank);

}  // namespace sim
