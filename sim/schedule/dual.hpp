#pragma once

#include <vector>

#include "sim/schedule/schedule.hpp"

namespace sim::schedule {

/// What DualPipe and DualPipeV have in common: a rank with two flows of micro-batches, `flow[0]`
/// whose forwards come first and `flow[1]` whose backwards come first, each as chunk and first
/// micro-batch. `depth` ranks lie on the way to where the flows turn or meet, this one is number
/// `place` of them. \pre per_flow >= 2 * depth
struct DualFlow {
  int chunk = 0;
  int first_micro_batch = 0;
};
std::vector<Cell> dual_cells(int depth, int place, int per_flow, const DualFlow (&flow)[2]);

}  // namespace sim::schedule
