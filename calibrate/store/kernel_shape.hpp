#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/kernel.hpp"

namespace calibrate::store {

/// A kernel as a line of words, "gemm m=4096 n=1024 k=1024 batch=1 dtype=bf16 output=fp32 adds=1".
std::string shape_text(const base::Kernel& kernel);

/// Nothing for a text that shape_text does not write.
std::optional<base::Kernel> kernel_of_shape(std::string_view text);

}  // namespace calibrate::store
