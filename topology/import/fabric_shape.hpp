#pragma once

#include "base/diagnostic.hpp"
#include "topology/found_cluster.hpp"

/// What the cables show of a fabric as a whole. Each function fills in what is unknown and leaves
/// what was told; notes say what was found, at `where`.
namespace topology {

/// FoundSwitch::tier by the fewest cables to a node: 1 where nodes are. A switch that has few nodes
/// beside many leaves (a fabric manager on a spine) is above those leaves. Switches from which no
/// cable leads to a node keep 0.
void find_tiers(FoundCluster& cluster, const base::SourceRef& where);

/// FoundSwitch::role and FoundNic::role. Switches that reach each other are a fabric. A fabric most
/// of whose switches are named for it is storage or management; of the others that with the most
/// cables to nodes is compute, as are those of the same size and rate (planes, or rails that
/// nothing joins); the rest stays unknown.
void find_roles(FoundCluster& cluster, const base::SourceRef& where);

/// FoundSwitch::rail and FoundNic::rail. A compute fabric has rails where NICs of the same rank in
/// their nodes hang on the same leaves: three quarters of the cables of three quarters of its
/// leaves. A NIC on the leaf of another rail is of that rail and is told as an exception, with the
/// leaf where its neighbours are.
void find_rails(FoundCluster& cluster, const base::SourceRef& where);

/// All of them.
void shape_fabric(FoundCluster& cluster, const base::SourceRef& where);

}  // namespace topology
