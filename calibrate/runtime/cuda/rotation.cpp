#include "calibrate/runtime/cuda/rotation.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "calibrate/runtime/failure.hpp"

namespace calibrate::runtime::cuda {

Rotation rotate(std::span<const std::int64_t> operands, std::int64_t cache,
                std::int64_t available) {
  constexpr std::int64_t alignment = 256;
  Rotation rotation;
  for (const std::int64_t operand : operands) {
    rotation.offsets.push_back(rotation.stride);
    rotation.stride += (operand + alignment - 1) / alignment * alignment;
  }
  rotation.stride = std::max(rotation.stride, alignment);
  if (rotation.stride > available)
    throw Failure(fmt::format("operands of {} bytes, {} are free", rotation.stride, available));
  const std::int64_t wanted = 1 + (2 * cache + rotation.stride - 1) / rotation.stride;
  rotation.copies = std::min(wanted, available / rotation.stride);
  return rotation;
}

}  // namespace calibrate::runtime::cuda
