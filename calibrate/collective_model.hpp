#pragma once

#include "calibrate/profile.hpp"

namespace calibrate {

/// Cost of a collective alone, from where its members sit: the best of the algorithms and
/// protocols that NCCL would consider (ring in LL, LL128 and Simple; tree; in-switch reduction),
/// each priced as latency + bytes * bus_factor / bus rate after NCCL 2.28's tuning model
/// (src/graph/tuning.cc). One rank costs nothing. `total` carries time and spread; its evidence
/// is `model` and its source 0, for the profile to set.
CollectiveCost collective_cost(Collective op, base::Bytes bytes, const GroupShape& shape);

}  // namespace calibrate
