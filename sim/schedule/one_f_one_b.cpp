#include "base/check.hpp"
#include "sim/schedule/alternate.hpp"

/// One forward, one backward (PipeDream-flush, Megatron's schedule without interleaving; arXiv
/// 2104.04473). Stage p runs S - p forwards before its first backward, then alternates, then
/// drains: bubble (S - 1) / m, and it holds at most S - p micro-batches.
namespace sim::schedule {

std::vector<Cell> one_f_one_b_cells(const Shape& shape, int stage) {
  CHECK_INVARIANT(stage >= 0 && stage < shape.stages && shape.virtual_stages == 1);
  std::vector<Cell> cells = alternate(shape.micro_batches, shape.stages - stage, std::nullopt);
  if (shape.paired) pair_up(cells, static_cast<std::size_t>(shape.stages - stage));
  return cells;
}

}  // namespace sim::schedule
