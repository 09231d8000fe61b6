#include <algorithm>
#include <array>

#include "base/check.hpp"
#include "sim/schedule/schedule.hpp"

/// ZB-V (Qi et al., arXiv 2401.10241, section 6, and "Pipeline Parallelism with Controllable
/// Memory", arXiv 2405.15362; the order is that of PyTorch's ScheduleZBVZeroBubble). Each rank
/// holds two chunks, the model goes down the ranks and back up. No bubble when forward, input and
/// weight gradient take the same, and every rank holds what the first rank of 1F1B does: 2 S
/// chunks.
namespace sim::schedule {

namespace {

class Rank {
 public:
  Rank(const Shape& shape, int rank)
      : stages_(shape.stages), rank_(rank), real_(shape.micro_batches) {
    // Fewer than fill the pipeline are scheduled as if there were more, which are then left out.
    micro_batches_ = std::max(2 * stages_ - 1, real_);
  }

  std::vector<Cell> cells() {
    for (int i = 0; i < 2 * (stages_ - rank_) - 1; ++i) next(CellKind::forward, 0);
    for (int i = 0; i < rank_; ++i) {
      next(CellKind::forward, 1);
      next(CellKind::forward, 0);
    }
    for (int i = 0; i < stages_ - rank_; ++i) {
      next(CellKind::forward, 1);
      both_gradients(1);
    }
    while (done(CellKind::forward, 1) < done(CellKind::forward, 0) ||
           done(CellKind::forward, 0) < micro_batches_) {
      if (done(CellKind::forward, 0) < micro_batches_) next(CellKind::forward, 0);
      both_gradients(0);
      next(CellKind::forward, 1);
      both_gradients(1);
    }
    for (int i = 0; i < rank_; ++i) {
      next(CellKind::backward_input, 0);
      next(CellKind::backward_input, 1);
    }
    for (int i = 0; i < stages_ - rank_; ++i) both_gradients(0);
    for (const int chunk : {1, 0})
      while (done(CellKind::backward_weight, chunk) < done(CellKind::backward_input, chunk))
        next(CellKind::backward_weight, chunk);
    return std::move(cells_);
  }

 private:
  int& done(CellKind kind, int chunk) {
    return done_[static_cast<std::size_t>(kind)][static_cast<std::size_t>(chunk)];
  }
  void next(CellKind kind, int chunk) {
    const int micro_batch = done(kind, chunk)++;
    if (micro_batch < real_) cells_.push_back({kind, micro_batch, chunk});
  }
  void both_gradients(int chunk) {
    next(CellKind::backward_input, chunk);
    next(CellKind::backward_weight, chunk);
  }

  int stages_;
  int rank_;
  int real_;
  int micro_batches_ = 0;
  std::array<std::array<int, 2>, strategies::cell_kind_count> done_{};
  std::vector<Cell> cells_;
};

}  // namespace

std::vector<Cell> zb_v_cells(const Shape& shape, int stage) {
  CHECK_INVARIANT(stage >= 0 && stage < shape.stages);
  return Rank(shape, stage).cells();
}

}  // namespace sim::schedule
