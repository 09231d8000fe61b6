#include "calibrate/runtime/cuda/element.hpp"

#include <fmt/format.h>

#include "calibrate/runtime/failure.hpp"

namespace calibrate::runtime::cuda {

Element element_of(std::string_view dtype) {
  if (dtype == "fp32" || dtype == "tf32") return Element::fp32;
  if (dtype == "fp16") return Element::fp16;
  if (dtype == "bf16") return Element::bf16;
  if (dtype == "fp8") return Element::fp8;
  throw Failure(fmt::format("no kernels for {}", dtype.empty() ? "no dtype" : dtype));
}

}  // namespace calibrate::runtime::cuda
