#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "base/name_table.hpp"

namespace base {

/// Number formats of tensors. `tf32` is a compute mode of 4-byte storage.
enum class DType { fp32, tf32, fp16, bf16, fp8, fp4 };

inline constexpr std::array<std::pair<std::string_view, DType>, 6> dtype_names{{
    {"fp32", DType::fp32},
    {"tf32", DType::tf32},
    {"fp16", DType::fp16},
    {"bf16", DType::bf16},
    {"fp8", DType::fp8},
    {"fp4", DType::fp4},
}};

constexpr std::string_view name_of(DType type) { return name_in(dtype_names, type); }

/// Storage of one element in bits.
constexpr int bits_of(DType type) {
  switch (type) {
    case DType::fp32:
    case DType::tf32: return 32;
    case DType::fp16:
    case DType::bf16: return 16;
    case DType::fp8: return 8;
    case DType::fp4: return 4;
  }
  return 32;
}

constexpr double bytes_of(DType type) { return bits_of(type) / 8.0; }

}  // namespace base
