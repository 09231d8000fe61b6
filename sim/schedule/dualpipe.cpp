#include <algorithm>

#include "base/check.hpp"
#include "sim/schedule/dual.hpp"

/// DualPipe (DeepSeek-V3, arXiv 2412.19437, section 3.2.1 and figure 5): two copies of the model,
/// micro-batches enter at both ends, and where a forward of one direction meets a backward of the
/// other both run at once, the communication of each behind the kernels of the other. Bubble
/// (S / 2 - 1) (F&B + B - 3 W); S + 1 micro-batches in flight.
namespace sim::schedule {

std::vector<Cell> dualpipe_cells(const Shape& shape, int stage) {
  CHECK_INVARIANT(stage >= 0 && stage < shape.stages);
  const int half = shape.micro_batches / 2;
  const DualFlow down{0, 0};
  const DualFlow up{1, half};
  const bool first_half = stage < shape.stages / 2;
  return dual_cells(shape.stages / 2, std::min(stage, shape.stages - 1 - stage), half,
                    {first_half ? down : up, first_half ? up : down});
}

}  // namespace sim::schedule
