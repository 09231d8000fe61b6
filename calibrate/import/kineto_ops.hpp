#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/document.hpp"
#include "calibrate/records.hpp"

/// PyTorch's operators as kernels of ours.
namespace calibrate {

/// What a profiler trace says of an operator.
struct TorchOp {
  std::string_view name;               ///< "aten::mm"
  const base::Node* dims = nullptr;    ///< "Input Dims"
  const base::Node* types = nullptr;   ///< "Input type"
  const base::Node* values = nullptr;  ///< "Concrete Inputs"
};

struct KernelOfOp {
  KernelRecord record;    ///< kind, kernel, rows, columns, dtype, library, variant
  std::string unmatched;  ///< why there is none; empty otherwise
};

KernelOfOp kernel_of(const TorchOp& op);

}  // namespace calibrate
