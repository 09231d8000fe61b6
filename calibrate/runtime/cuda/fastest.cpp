#include "calibrate/runtime/cuda/fastest.hpp"

namespace calibrate::runtime::cuda {

std::optional<int> fastest(int candidates, const std::function<std::optional<double>(int)>& time) {
  std::optional<int> best;
  double best_seconds = 0;
  for (int candidate = 0; candidate < candidates; ++candidate) {
    const std::optional<double> seconds = time(candidate);
    if (!seconds || (best && *seconds >= best_seconds)) continue;
    best = candidate;
    best_seconds = *seconds;
  }
  return best;
}

}  // namespace calibrate::runtime::cuda
