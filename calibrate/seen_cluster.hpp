#pragma once

#include <vector>

#include "calibrate/records.hpp"
#include "topology/found_cluster.hpp"

namespace calibrate {

/// What a calibration saw of a cluster, over what a dump of it says: the nodes of the dump on which
/// something was measured, with the GPUs that were found there, and hosts that the dump does not
/// name. To be compared with `dump` limited to the same nodes.
struct SeenCluster {
  topology::FoundCluster told;  ///< of the dump, the nodes that were measured
  topology::FoundCluster seen;
  int unmeasured = 0;  ///< nodes of the dump on which nothing was
};

SeenCluster seen_cluster(const std::vector<RunRecords>& runs, const topology::FoundCluster& dump);

}  // namespace calibrate
