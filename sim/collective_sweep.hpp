#pragma once

#include <memory>
#include <span>
#include <vector>

#include "calibrate/backend.hpp"
#include "calibrate/profile.hpp"
#include "topology/cluster.hpp"

namespace sim {

/// A collective of all GPUs of a cluster.
struct CollectiveCall {
  base::Collective op = base::Collective::all_reduce;
  base::Bytes bytes;  ///< nccl-tests convention
};

/// Plays collectives one after the other, each alone on the cluster, every transfer as a flow, and
/// returns how long each took: the price of the backend, or more where links carry less than that.
std::vector<calibrate::Duration> play_collectives(const calibrate::CollectiveBackend& backend,
                                                  const topology::Cluster& cluster,
                                                  std::span<const CollectiveCall> calls);

}  // namespace sim
