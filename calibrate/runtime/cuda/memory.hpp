#pragma once

#include <cstdint>
#include <span>

#include "calibrate/runtime/cuda/element.hpp"
#include "calibrate/runtime/cuda/rotation.hpp"

namespace calibrate::runtime::cuda {

/// Memory of the current device.
class Memory {
 public:
  /// Throws Failure where there is not so much.
  explicit Memory(std::int64_t bytes);
  ~Memory();
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  void* at(std::int64_t offset) const;

 private:
  void* begin_ = nullptr;
};

/// Operands of a kernel in rotation (rotation.hpp), filled once.
class Operands {
 public:
  /// `cache` is the device's last one, in bytes.
  Operands(std::span<const std::int64_t> sizes, std::int64_t cache);

  /// Fills an operand in all copies with random values.
  void fill(std::size_t operand, std::int64_t elements, Element element, bool positive = false);
  /// Fills it with each of 0 ... below - 1 in a scrambled order.
  void index(std::size_t operand, std::int64_t count, std::int64_t below);

  std::int64_t copies() const { return rotation_.copies; }
  /// The next copy's turn.
  void turn() { copy_ = (copy_ + 1) % rotation_.copies; }
  /// An operand of the copy whose turn it is.
  void* at(std::size_t operand) const;

 private:
  Rotation rotation_;
  Memory memory_;
  std::int64_t copy_ = 0;
};

}  // namespace calibrate::runtime::cuda
