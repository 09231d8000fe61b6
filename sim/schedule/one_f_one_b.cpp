#include <algorithm>

#include "base/check.hpp"
#include "sim/schedule/schedule.hpp"

/// One forward, one backward (PipeDream-flush, Megatron's schedule without interleaving). A stage
/// first runs as many forwards as there are stages after it, then alternates, then drains: bubble
/// (S - 1) / m, and stage p holds at most S - p micro-batches.
namespace sim::schedule {

std::vector<Cell> one_f_one_b_cells(const Shape& shape, int stage) {
  CHECK_INVARIANT(stage >= 0 && stage < shape.stages);
  CHECK_INVARIANT(shape.virtual_stages == 1);
  const int warm_up = std::min(shape.stages - stage - 1, shape.micro_batches);
  std::vector<Cell> cells;
  for (int i = 0; i < warm_up; ++i) cells.push_back({true, i, 0});
  for (int i = 0; i < shape.micro_batches; ++i) {
    if (warm_up + i < shape.micro_batches) cells.push_back({true, warm_up + i, 0});
    cells.push_back({false, i, 0});
  }
  return cells;
}

}  // namespace sim::schedule
