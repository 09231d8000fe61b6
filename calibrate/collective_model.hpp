#pragma once

#include "calibrate/profile.hpp"

namespace calibrate {

/// Cost of a collective alone, from where its members sit: the best of what NCCL would consider
/// (ring and tree in LL, LL128 and Simple; in-switch reduction; pairwise messages), each priced as
/// latency + bytes * bus_factor / bus rate with the constants of NCCL 2.28's tuning model
/// (src/graph/tuning.cc) and a bus rate that grows with the size. A shape's latencies are those of
/// a hop in the Simple protocol, in a ring. One rank costs nothing. The caller sets `total.source`.
CollectiveCost collective_cost(Collective op, base::Bytes bytes, const GroupShape& shape);

}  // namespace calibrate
