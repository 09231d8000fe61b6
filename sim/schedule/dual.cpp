#include "sim/schedule/dual.hpp"

#include <array>

#include "base/check.hpp"

namespace sim::schedule {

namespace {

/// The steps are those of DeepSeek's published DualPipe; each is named by what it repeats.
class DualRank {
 public:
  DualRank(int depth, int place, int per_flow, const DualFlow (&flow)[2])
      : depth_(depth), place_(place), per_flow_(per_flow), flow_{flow[0], flow[1]} {}

  std::vector<Cell> cells() {
    const int after = depth_ - place_ - 1;
    for (int i = 0; i < 2 * after; ++i) forward(0);
    for (int i = 0; i < place_ + 1; ++i) {  // F0 F1
      forward(0);
      forward(1);
    }
    for (int i = 0; i < after; ++i) {  // B1 W1 F1
      backward(1, /*split=*/true);
      weight();
      forward(1);
    }
    for (int i = 0; i < per_flow_ - 2 * depth_ + place_ + 1; ++i) {  // F0+B1, F1+B0
      // Where the flows turn or meet, the first forward and backward are the same micro-batch's
      // neighbours: DeepSeek does not overlap them, which makes the bubble smaller.
      forward(0, /*overlapped=*/i > 0 || place_ < depth_ - 1);
      backward(1, /*split=*/false);
      forward(1, /*overlapped=*/true);
      backward(0, /*split=*/false);
    }
    for (int i = 0; i < after; ++i) {  // B1, F1+B0
      backward(1, /*split=*/false);
      forward(1, /*overlapped=*/true);
      backward(0, /*split=*/false);
    }
    bool split = false;                     // from half of the next ones on
    for (int i = 0; i < place_ + 1; ++i) {  // B1 B0
      const bool half = i == (place_ + 1) / 2;
      split = split || (half && place_ % 2 == 1);
      backward(1, split);
      split = split || (half && place_ % 2 == 0);
      backward(0, split);
    }
    for (int i = 0; i < after; ++i) {  // W B0
      weight();
      backward(0, /*split=*/true);
    }
    for (int i = 0; i < place_ + 1; ++i) weight();
    CHECK_INVARIANT(weights_done_ == weights_.size());
    return std::move(cells_);
  }

 private:
  Cell cell(CellKind kind, int flow, int count) const {
    const DualFlow& of = flow_[static_cast<std::size_t>(flow)];
    return {kind, of.first_micro_batch + count, of.chunk};
  }
  void forward(int flow, bool overlapped = false) {
    cells_.push_back(cell(CellKind::forward, flow, forwards_[static_cast<std::size_t>(flow)]++));
    cells_.back().overlapped = overlapped;
  }
  void backward(int flow, bool split) {
    const int count = backwards_[static_cast<std::size_t>(flow)]++;
    cells_.push_back(cell(split ? CellKind::backward_input : CellKind::backward, flow, count));
    if (split) weights_.push_back(cell(CellKind::backward_weight, flow, count));
  }
  /// The weight gradient that has waited longest.
  void weight() {
    CHECK_INVARIANT(weights_done_ < weights_.size());
    cells_.push_back(weights_[weights_done_++]);
  }

  int depth_;
  int place_;
  int per_flow_;
  std::array<DualFlow, 2> flow_;
  std::array<int, 2> forwards_{};
  std::array<int, 2> backwards_{};
  std::vector<Cell> weights_;
  std::size_t weights_done_ = 0;
  std::vector<Cell> cells_;
};

}  // namespace

std::vector<Cell> dual_cells(int depth, int place, int per_flow, const DualFlow (&flow)[2]) {
  CHECK_INVARIANT(place >= 0 && place < depth && per_flow >= 2 * depth);
  return DualRank(depth, place, per_flow, flow).cells();
}

}  // namespace sim::schedule
