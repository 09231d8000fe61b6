#pragma once

#include <string>
#include <vector>

#include "topology/found_cluster.hpp"

namespace topology {

/// One way in which two dumps of a cluster differ.
struct Change {
  std::string kind;  ///< "node added", "moved", "cable down", …
  std::string what;  ///< "gpu-7: spine-1/leaf-2 -> spine-1/leaf-4"
  /// Nodes and switches that it is of, by their later names where they have one; both ends of a
  /// cable.
  std::vector<std::string> devices;
};

/// What changed from one dump to the other: nodes (matched by any of their names) that came, went,
/// moved, changed GPUs, availability or occupancy; switches by id; cables by their ends and ports.
/// By kind, then in the order of the dumps.
std::vector<Change> difference(const FoundCluster& before, const FoundCluster& after);

}  // namespace topology
