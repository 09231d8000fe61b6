#pragma once

#include <string_view>

#include "topology/found_cluster.hpp"

namespace topology {

/// Turns paths of any length, from the root and without gaps, in `cluster.nodes[i].domains` into
/// levels named `level_prefix` and 0, 1, ... from the nodes up. A switch (a path of names, as names
/// may be used again elsewhere) stands at the level above its highest child, so that paths that end
/// early or are longer than others have gaps where they should. Paths longer than `tiers_max` are
/// mistakes.
void align_paths(FoundCluster& cluster, std::string_view level_prefix, base::Diagnostics& problems);

}  // namespace topology
