#pragma once

#include <functional>

#include "topology/cluster.hpp"

namespace topology {

/// Whether both ends of a link are GPUs or switches between GPUs: NVLink, Infinity Fabric.
bool is_scale_up(const Cluster& cluster, const Link& link);

/// Whether both ends of a link are in one node.
bool is_inside_node(const Cluster& cluster, const Link& link);

/// The same cluster, `factor` times the rate on those links that `which` chooses.
Cluster with_faster_links(const Cluster& cluster, double factor,
                          const std::function<bool(const Link&)>& which);

}  // namespace topology
