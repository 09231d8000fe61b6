#pragma once

#include <string_view>

#include "base/dtype.hpp"

namespace calibrate::runtime {

/// Bytes that a memory-bound kind reads and writes for each element of its matrix, at least; 0 for
/// kinds that move none. What stays in caches does not count: a norm's weights, the table of a
/// rotary embedding, a row's loss. `dtype` is what the kind works on: of adam the gradient's,
/// beside weight and two moments in fp32; of cast what is written, from fp32, or from bf16 to fp8.
constexpr double traffic_per_element(std::string_view kind, base::DType dtype) {
  const double size = base::bytes_of(dtype);
  if (kind == "cross_entropy") return size;  // the logits are read
  if (kind == "norm" || kind == "rotary" || kind == "softmax" || kind == "embedding" ||
      kind == "copy")
    return 2 * size;
  if (kind == "gated_activation" || kind == "residual") return 3 * size;  // two in, one out
  if (kind == "adam") return 6 * 4.0 + size;
  if (kind == "cast") return size + (dtype == base::DType::fp8 ? 2 : 4);
  return 0;
}

}  // namespace calibrate::runtime
