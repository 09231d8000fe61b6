#pragma once

#include <optional>
#include <vector>

#include "sim/schedule/schedule.hpp"

namespace sim::schedule {

/// One chunk: `warm_up` forwards (at least one) before the first backward, then a backward and a
/// forward in turn until the forwards run out. Without `weight_delay` backwards are fused; with it
/// the weight gradient of a micro-batch follows the input gradient of the one `weight_delay` later,
/// and the last ones follow each other at the end.
std::vector<Cell> alternate(int micro_batches, int warm_up, std::optional<int> weight_delay);

}  // namespace sim::schedule
