#pragma once

#include <functional>
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

/// Who says what a collective takes of a group that has the machine to itself.
using CollectivePrice = std::function<calibrate::CollectiveCost(
    base::Collective op, base::Bytes bytes, const calibrate::GroupShape& shape)>;

/// What the backend says. \pre it supports what it is asked for, and outlives the answer
CollectivePrice prices_of(const calibrate::CollectiveBackend& backend);

/// Plays collectives one after the other, each alone on the cluster, every transfer as a flow, and
/// returns how long each took: its price, or more where links carry less than that.
std::vector<calibrate::Duration> play_collectives(const CollectivePrice& price,
                                                  const topology::Cluster& cluster,
                                                  std::span<const CollectiveCall> calls);

}  // namespace sim
