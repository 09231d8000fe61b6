#include "sim/schedule/alternate.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace sim::schedule {

std::vector<Cell> alternate(int micro_batches, int warm_up, std::optional<int> weight_delay) {
  CHECK_INVARIANT(warm_up >= 1);
  std::vector<Cell> cells;
  const int ahead = std::min(warm_up, micro_batches);
  for (int i = 0; i < ahead; ++i) cells.push_back({CellKind::forward, i, 0});
  const auto weight = [&](int i) {
    if (weight_delay && i >= 0) cells.push_back({CellKind::backward_weight, i, 0});
  };
  for (int i = 0; i < micro_batches; ++i) {
    cells.push_back({weight_delay ? CellKind::backward_input : CellKind::backward, i, 0});
    weight(i - weight_delay.value_or(0));
    if (ahead + i < micro_batches) cells.push_back({CellKind::forward, ahead + i, 0});
  }
  for (int i = std::max(0, micro_batches - weight_delay.value_or(0)); i < micro_batches; ++i)
    weight(i);
  return cells;
}

}  // namespace sim::schedule
