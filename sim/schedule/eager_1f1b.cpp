#include "base/check.hpp"
#include "sim/schedule/alternate.hpp"

/// Eager 1F1B (Zhuang et al., arXiv 2211.05322): 1F1B with 2 (S - p) - 1 forwards before the first
/// backward in place of S - p, so that a message has the time of a whole forward and backward to
/// arrive. The bubble is that of 1F1B; up to twice as many micro-batches are in flight.
namespace sim::schedule {

std::vector<Cell> eager_1f1b_cells(const Shape& shape, int stage) {
  CHECK_INVARIANT(stage >= 0 && stage < shape.stages && shape.virtual_stages == 1);
  const int warm_up = 2 * (shape.stages - stage) - 1;
  std::vector<Cell> cells = alternate(shape.micro_batches, warm_up, std::nullopt);
  if (shape.paired) pair_up(cells, static_cast<std::size_t>(warm_up));
  return cells;
}

}  // namespace sim::schedule
