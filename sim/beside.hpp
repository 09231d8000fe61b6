#pragma once

#include "base/collective.hpp"
#include "base/units.hpp"
#include "calibrate/profile.hpp"
#include "strategies/execution.hpp"
#include "strategies/shard.hpp"

/// Kernels and a collective on one GPU at the same time.
namespace sim {

/// A collective of a plan in as many equal parts as it has, one behind the other. Collectives of
/// tensor ranks take what Execution::tensor_step adds.
calibrate::CollectiveCost cost_in_plan(const calibrate::Profile& profile,
                                       const strategies::Communication& what,
                                       const calibrate::GroupShape& shape,
                                       const strategies::Execution& execution);

/// What a collective takes from kernels beside it, where that was not measured. Its channels are
/// blocks that hold an SM each; a ring reads and writes every byte that it moves, and reads what it
/// adds to (three passes over memory for each byte on the wire).
void set_shares(calibrate::CollectiveCost& cost, base::Collective op, base::Bytes bytes,
                const calibrate::GroupShape& shape);

/// What a piece of work and its collective take that begin at once.
struct AtOnce {
  double kernels = 0;  ///< seconds
  double collective = 0;
};

/// Kernels of `arithmetic` seconds, when alone, and then of `streaming` seconds beside a collective
/// of that price and `collective` seconds. As long as both are there, arithmetic lacks the SMs that
/// the collective holds, and the collective lacks what it loses to kernels of either kind.
AtOnce at_once(double arithmetic, double streaming, double collective,
               const calibrate::CollectiveCost& cost);

}  // namespace sim
