#pragma once

#include <cstdint>
#include <variant>

#include "base/dtype.hpp"
#include "base/units.hpp"

/// The work of one GPU kernel, as shapes: what `strategies` cuts out of a model and what
/// `calibrate` can time. No durations here.
namespace base {

/// C[m,n] = A[m,k] B[k,n], `batch` times in one launch (grouped GEMM when batch > 1).
struct Gemm {
  std::int64_t m = 0;
  std::int64_t n = 0;
  std::int64_t k = 0;
  std::int64_t batch = 1;
  DType dtype = DType::bf16;   ///< of A and B
  DType output = DType::bf16;  ///< of C; fp32 when gradients accumulate in fp32
  bool adds = false;           ///< to what is in C, which is read too

  constexpr bool operator==(const Gemm&) const = default;
};

/// Scaled dot-product attention of `batch` sequences: q_heads x seq_q x head_dim against
/// kv_heads x seq_kv x head_dim.
struct Attention {
  std::int64_t batch = 0;
  std::int64_t seq_q = 0;
  std::int64_t seq_kv = 0;
  std::int64_t q_heads = 0;
  std::int64_t kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t value_dim = 0;  ///< differs from head_dim in multi-head latent attention
  bool causal = true;
  std::int64_t window = 0;  ///< tokens a query sees at most; 0 is no limit
  bool backward = false;
  bool flash = true;  ///< fused; otherwise the seq_q x seq_kv scores go through memory
  DType dtype = DType::bf16;

  constexpr bool operator==(const Attention&) const = default;
};

/// A kernel bounded by memory traffic: norm, rotary, activation, residual, optimizer, cast.
struct MemoryBound {
  Bytes bytes;      ///< read plus written
  int kernels = 1;  ///< launches that share this traffic

  constexpr bool operator==(const MemoryBound&) const = default;
};

using Kernel = std::variant<Gemm, Attention, MemoryBound>;

/// Floating-point operations of a GEMM: 2 m n k batch.
Flop flop_of(const Gemm& gemm);
/// Forward: 2 (head_dim + value_dim) per visible (query, key) pair and head; backward 2.5 times
/// that (five matrix products for two). Visible pairs respect causality and window.
Flop flop_of(const Attention& attention);
Flop flop_of(const Kernel& kernel);

/// Number of (query, key) pairs of one head of one sequence that are not masked.
double visible_pairs(const Attention& attention);

/// Least traffic to HBM: every operand read once, every result written once.
Bytes bytes_of(const Gemm& gemm);
Bytes bytes_of(const Attention& attention);
Bytes bytes_of(const Kernel& kernel);

}  // namespace base
