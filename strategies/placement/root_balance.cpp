#include "strategies/placement/root_balance.hpp"

#include <algorithm>
#include <functional>
#include <numeric>

#include "base/check.hpp"

namespace strategies::placement {

namespace {

double lower_bound_of(std::vector<double> weights, std::size_t roots) {
  std::sort(weights.begin(), weights.end(), std::greater<>());
  double bound = std::accumulate(weights.begin(), weights.end(), 0.0) / static_cast<double>(roots);
  // Of the first k * roots + 1 weights, some root has k + 1.
  for (std::size_t k = 0; k * roots < weights.size(); ++k) {
    const auto last = weights.begin() + static_cast<std::ptrdiff_t>(k * roots + 1);
    bound = std::max(bound, std::accumulate(last - static_cast<std::ptrdiff_t>(k + 1), last, 0.0));
  }
  return bound;
}

}  // namespace

base::Flop newton_schulz_flop(std::int64_t rows, std::int64_t columns, int iterations) {
  CHECK_INVARIANT(rows >= 1 && columns >= 1 && iterations >= 0);
  const auto m = static_cast<double>(std::min(rows, columns));
  const auto n = static_cast<double>(std::max(rows, columns));
  return base::Flop::from_count(iterations * (4 * n * m * m + 2 * m * m * m));
}

RootBalance balance_roots(const std::vector<double>& weights, int roots) {
  CHECK_INVARIANT(roots >= 1);
  RootBalance balance;
  balance.roots.assign(weights.size(), 0);
  balance.loads.assign(static_cast<std::size_t>(roots), 0);
  std::vector<std::size_t> heaviest_first(weights.size());
  std::iota(heaviest_first.begin(), heaviest_first.end(), std::size_t{0});
  std::stable_sort(heaviest_first.begin(), heaviest_first.end(),
                   [&](std::size_t a, std::size_t b) { return weights[a] > weights[b]; });
  for (const std::size_t matrix : heaviest_first) {
    CHECK_INVARIANT(weights[matrix] >= 0);
    const auto least = std::min_element(balance.loads.begin(), balance.loads.end());
    *least += weights[matrix];
    balance.roots[matrix] = static_cast<int>(least - balance.loads.begin());
  }
  balance.max_load = *std::max_element(balance.loads.begin(), balance.loads.end());
  balance.lower_bound = lower_bound_of(weights, static_cast<std::size_t>(roots));
  balance.guarantee = 4.0 / 3.0 - 1.0 / (3.0 * roots);
  return balance;
}

}  // namespace strategies::placement
