#include "base/check.hpp"
#include "sim/schedule/dual.hpp"

/// DualPipeV (DeepSeek's DualPipe repository; Qi, "cut-in-half"): DualPipe on half of the ranks,
/// whose two flows are the two chunks of a V-shape: one copy of the model is enough. Bubble
/// (S - 1) (F&B + B - 3 W), in chunks of which each rank has two.
namespace sim::schedule {

std::vector<Cell> dualpipe_v_cells(const Shape& shape, int stage) {
  CHECK_INVARIANT(stage >= 0 && stage < shape.stages);
  return dual_cells(shape.stages, stage, shape.micro_batches, {{0, 0}, {1, 0}});
}

}  // namespace sim::schedule
