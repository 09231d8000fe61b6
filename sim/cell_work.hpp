#pragma once

#include <vector>

#include "sim/stage.hpp"
#include "strategies/pipeline.hpp"
#include "strategies/shard.hpp"

/// What a cell of a schedule computes.
namespace sim {

/// The work of one block in a cell of this kind.
const std::vector<strategies::Work>& work_of(const strategies::ShardedBlock& block,
                                             strategies::CellKind kind);

/// The work of a cell on units `range` of its chunk: backwards begin with the last unit.
std::vector<strategies::Work> cell_work(const Stage& stage, const strategies::Cell& cell,
                                        Range range);

/// A forward and a backward that run at once (DualPipe, arXiv 2412.19437, figure 4): the
/// communication of each lies beside kernels of the other. Those kernels, in order, are dealt out
/// evenly to the communications, and each share and its communication start together. What has both
/// already stays as it is; kernels that have no communication beside them run alone.
std::vector<strategies::Work> overlapped(const std::vector<strategies::Work>& forward,
                                         const std::vector<strategies::Work>& backward);

}  // namespace sim
