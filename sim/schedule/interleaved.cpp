#include <algorithm>

#include "base/check.hpp"
#include "sim/schedule/schedule.hpp"

/// Megatron's interleaved 1F1B (arXiv 2104.04473): a rank holds v chunks of the model, S stages
/// apart, and works on groups of S micro-batches, all chunks of a group before the next group. It
/// runs 2 (S - p - 1) + (v - 1) S forwards before it alternates. Bubble (S - 1) / (v m). One
/// forward more where each backward runs at once with a forward, which must not be its own
/// micro-batch's (Megatron-Core, core/pipeline_parallel/schedules.py).
namespace sim::schedule {

namespace {

/// The order of forwards; backwards go in the same order with the chunks counted from the last.
std::vector<Cell> forwards(const Shape& shape) {
  std::vector<Cell> cells;
  for (int first = 0; first < shape.micro_batches; first += shape.stages)
    for (int chunk = 0; chunk < shape.virtual_stages; ++chunk)
      for (int i = first; i < std::min(first + shape.stages, shape.micro_batches); ++i)
        cells.push_back({CellKind::forward, i, chunk});
  return cells;
}

}  // namespace

std::vector<Cell> interleaved_cells(const Shape& shape, int stage) {
  CHECK_INVARIANT(stage >= 0 && stage < shape.stages);
  const std::vector<Cell> order = forwards(shape);
  const int total = static_cast<int>(order.size());
  const int usual = shape.virtual_stages == 1 ? shape.stages - stage - 1
                                              : 2 * (shape.stages - stage - 1) +
                                                    (shape.virtual_stages - 1) * shape.stages;
  const int warm_up = std::min(total, usual + (shape.paired ? 1 : 0));
  std::vector<Cell> cells(order.begin(), order.begin() + warm_up);
  for (int i = 0; i < total; ++i) {
    const int ahead = warm_up + i;
    if (ahead < total) cells.push_back(order[static_cast<std::size_t>(ahead)]);
    Cell back = order[static_cast<std::size_t>(i)];
    back.kind = CellKind::backward;
    back.chunk = shape.virtual_stages - 1 - back.chunk;
    cells.push_back(back);
  }
  if (shape.paired) pair_up(cells, static_cast<std::size_t>(warm_up));
  return cells;
}

}  // namespace sim::schedule
