#include "base/check.hpp"
#include "sim/schedule/alternate.hpp"

/// ZB-H2 (arXiv 2401.10241, figure 3): more forwards fill the bubble before the first backward, and
/// weight gradients put off by 2 p micro-batches that at the end. Every stage holds 2 S - 1
/// micro-batches from forward to weight gradient. Bubble (S - 1) (F + B - 2 W): none when all take
/// the same, where each stage works without a gap from its first cell to its last and later stages
/// begin and end later.
namespace sim::schedule {

std::vector<Cell> zb_h2_cells(const Shape& shape, int stage) {
  CHECK_INVARIANT(stage >= 0 && stage < shape.stages && shape.virtual_stages == 1);
  return alternate(shape.micro_batches, 2 * (shape.stages - stage) - 1, 2 * stage);
}

}  // namespace sim::schedule
