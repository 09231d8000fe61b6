#pragma once

#include <string>

#include "topology/found_cluster.hpp"

namespace topology {

/// "foreshard.cluster.v1": everything that is known of a cluster, for import_foreshard_json to read
/// again. Rates in bit/s. Places in the dumps are not kept; `sources` names the files. What is
/// unknown is left out.
std::string write_foreshard_json(const FoundCluster& cluster);

}  // namespace topology
