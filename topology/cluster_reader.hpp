#pragma once

#include "base/map_reader.hpp"
#include "topology/cluster_spec.hpp"
#include "topology/hardware.hpp"

namespace topology {

/// Most nodes of a cluster that a user may ask for; a guard against typing mistakes.
inline constexpr int cluster_nodes_max = 65536;

/// Reads the map of a cluster described by hand:
///
///     nodes: {type: dgx-h100, count: 8}   # or a list of such pools
///     fabric: {kind: rail_optimized, oversubscription: 2}
///
/// A pool has `type` (a name of the registry) or `node` (keys of a hardware file over those of its
/// `base`), `count`, and may have `usable_gpus` and `name` (prefix of node names). Mistakes go to
/// the reader's diagnostics, and what is returned is then of no use. Calls `finish()`. Node types
/// point into `registry`.
ClusterSpec read_cluster(base::MapReader& reader, const HardwareRegistry& registry);

/// Reads the keys of a `fabric` map that say something about a network whose switches come from the
/// domains of the nodes. Calls `finish()`.
void read_domain_fabric(base::MapReader& reader, FabricSpec& out);

}  // namespace topology
