#pragma once

#include "topology/cluster.hpp"
#include "topology/found_cluster.hpp"

namespace topology {

/// A cluster that was described by hand, as a dump would tell it: nodes with their types, switches,
/// and cables with raw rates. What is inside nodes is left to their types.
FoundCluster found_of(const Cluster& cluster, const std::string& file);

}  // namespace topology
