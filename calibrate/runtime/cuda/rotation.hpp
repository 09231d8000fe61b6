#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace calibrate::runtime::cuda {

/// Operands of a kernel that is launched again and again, in several copies one after the other in
/// one piece of memory: launches take turns, so that none finds its operands in the cache.
struct Rotation {
  std::vector<std::int64_t> offsets;  ///< of each operand in a copy
  std::int64_t stride = 0;            ///< bytes of a copy
  std::int64_t copies = 1;

  std::int64_t bytes() const { return stride * copies; }
};

/// As many copies as it takes that twice the cache passes by between two uses of one of them, fewer
/// where `available` memory ends. Operands begin at multiples of 256 bytes. Throws Failure where
/// one copy is more than is available.
Rotation rotate(std::span<const std::int64_t> operands, std::int64_t cache, std::int64_t available);

}  // namespace calibrate::runtime::cuda
