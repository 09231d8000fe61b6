#pragma once

#include <cstdint>
#include <string_view>

namespace calibrate::runtime::cuda {

/// How a number lies in memory. fp8 is e4m3.
enum class Element { fp32, fp16, bf16, fp8 };

constexpr std::int64_t bytes_of(Element element) {
  switch (element) {
    case Element::fp32: return 4;
    case Element::fp16:
    case Element::bf16: return 2;
    case Element::fp8: return 1;
  }
  return 0;
}

/// "tf32" lies as fp32. Throws Failure for a dtype that the device does not have.
Element element_of(std::string_view dtype);

}  // namespace calibrate::runtime::cuda
