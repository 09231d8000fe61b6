#pragma once

#include <vector>

#include "base/map_reader.hpp"
#include "topology/cluster_spec.hpp"
#include "topology/routes.hpp"

namespace topology {

/// How a network is run, as opposed to how it is built.
struct NetworkSpec {
  RoutingOptions routing;
  std::vector<CableFault> faults;
};

/// Reads such a map; calls `finish()`:
///
///     routing: adaptive
///     pxn: false
///     link_down: [node-3/nic-2, spine-1]     # or one name
///     link_degraded: {leaf-0 -> spine-*: 0.5}
NetworkSpec read_network(base::MapReader& reader);

}  // namespace topology
