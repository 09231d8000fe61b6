#pragma once

#include <cstdint>

#include "calibrate/runtime/cuda/element.hpp"
#include "calibrate/runtime/runtime.h"

namespace calibrate::runtime::cuda {

/// A matrix as cuBLASLt sees it: column by column, one column right after the other.
struct Matrix {
  Element element = Element::bf16;
  std::int64_t rows = 0;
  std::int64_t columns = 0;

  std::int64_t size() const { return rows * columns; }
  bool operator==(const Matrix&) const = default;
};

/// A GEMM as cuBLASLt is called: D = op(A) op(B), + D where it accumulates.
struct GemmPlan {
  Matrix a;
  Matrix b;
  Matrix d;
  bool transpose_a = false;
  bool transpose_b = false;
  bool tf32 = false;  ///< tensor cores on fp32 operands
  bool accumulates = false;
  /// fp8: scales of A and B are read, and partial sums may stay in the tensor core's own precision,
  /// as forward passes of training frameworks have it.
  bool scaled = false;
  bool fast_accumulation = false;
  std::int64_t batch = 1;
};

/// Our row-major C[m,n] is cuBLAS's n x m. Operands lie as those of a linear layer: its forward
/// pass reads weights [n,k] and activations [m,k] along k (TN, the only layout of fp8); one that
/// adds is the gradient of a weight, whose operands [k,n] and [k,m] have tokens along k (NT).
/// `capability` is the device's, 90 for 9.0. Throws Failure for what cuBLASLt does not do.
GemmPlan plan_gemm(const foreshard_kernel& kernel, int capability);

/// Scratch memory for the library: 32 MiB, 64 from Hopper on.
std::int64_t gemm_workspace(int capability);

}  // namespace calibrate::runtime::cuda
