#include "base/check.hpp"
#include "sim/schedule/schedule.hpp"

/// GPipe (arXiv 1811.06965), all forwards, then all backwards (AFAB). Bubble (S - 1) / m; all m
/// micro-batches in flight.
namespace sim::schedule {

std::vector<Cell> gpipe_cells(const Shape& shape, int stage) {
  CHECK_INVARIANT(stage >= 0 && stage < shape.stages);
  std::vector<Cell> cells;
  for (int chunk = 0; chunk < shape.virtual_stages; ++chunk)
    for (int i = 0; i < shape.micro_batches; ++i) cells.push_back({CellKind::forward, i, chunk});
  for (int chunk = shape.virtual_stages - 1; chunk >= 0; --chunk)
    for (int i = 0; i < shape.micro_batches; ++i) cells.push_back({CellKind::backward, i, chunk});
  return cells;
}

}  // namespace sim::schedule
