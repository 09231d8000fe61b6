#include <algorithm>
#include <numeric>
#include <random>

#include "calibrate/runtime/blas/work.hpp"

namespace calibrate::runtime::blas {

Operands::Operands(std::vector<std::int64_t> floats) {
  constexpr std::int64_t walked = (std::int64_t{64} << 20U) / static_cast<int>(sizeof(float));
  constexpr std::int64_t most_copies = 16;
  constexpr std::int64_t line = 16;  // floats of a cache line
  for (std::int64_t& count : floats) count = (count + line - 1) / line * line;
  const std::int64_t all =
      std::max<std::int64_t>(1, std::accumulate(floats.begin(), floats.end(), std::int64_t{0}));
  const std::int64_t copies = std::clamp<std::int64_t>(walked / all, 1, most_copies);
  memory_.resize(static_cast<std::size_t>(all * copies));
  std::minstd_rand random(1);
  std::uniform_real_distribution<float> value(-1, 1);
  for (float& one : memory_) one = value(random);
  float* at = memory_.data();
  for (std::int64_t copy = 0; copy < copies; ++copy) {
    copies_.emplace_back();
    for (const std::int64_t count : floats) {
      copies_.back().push_back(at);
      at += count;
    }
  }
}

const std::vector<float*>& Operands::next() {
  const std::vector<float*>& one = copies_[at_];
  at_ = (at_ + 1) % copies_.size();
  return one;
}

}  // namespace calibrate::runtime::blas
