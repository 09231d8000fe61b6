#include "base/check.hpp"
#include "sim/schedule/alternate.hpp"

/// ZB-H1 (Qi et al., "Zero Bubble Pipeline Parallelism", arXiv 2401.10241, figure 2): 1F1B whose
/// stage p puts off weight gradients by p micro-batches, so that they fill the bubble at the end.
/// Counted from forward to weight gradient every stage holds S micro-batches, as the first of 1F1B
/// does. Bubble (S - 1) (F + B - W).
namespace sim::schedule {

std::vector<Cell> zb_h1_cells(const Shape& shape, int stage) {
  CHECK_INVARIANT(stage >= 0 && stage < shape.stages && shape.virtual_stages == 1);
  return alternate(shape.micro_batches, shape.stages - stage, stage);
}

}  // namespace sim::schedule
