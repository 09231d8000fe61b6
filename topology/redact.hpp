#pragma once

#include "topology/found_cluster.hpp"

namespace topology {

/// The same cluster without the names of its owner, to be shown to others: nodes "n0001", domains
/// and switches by level "L2-07", jobs "job-3", NICs by their number in the node. Numbers follow
/// the natural order of the names, so that the same cluster gets the same ones. Addresses, GUIDs,
/// pods, places in files and what notes say are left out; types, rates, ports and states stay.
FoundCluster redact(const FoundCluster& found);

}  // namespace topology
