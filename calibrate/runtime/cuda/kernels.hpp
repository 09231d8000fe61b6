#pragma once

#include <cuda_runtime_api.h>

#include <cstdint>

#include "calibrate/runtime/cuda/element.hpp"

/// Our own kernels, bounded by memory: each element is read once and written once, 16 bytes at a
/// time. Launch errors come back; operands are aligned to 16 bytes, and so is every row.
namespace calibrate::runtime::cuda {

/// Values in [-1, 1], or in [0, 1] when `positive`. Random ones: with zeros, bits do not flip, the
/// chip draws less power, clocks stay higher, and everything measured is too fast.
cudaError_t fill_random(void* memory, std::int64_t elements, Element element, bool positive,
                        std::uint64_t seed, cudaStream_t stream);
/// Each of 0 ... below - 1 in a scrambled order, again and again.
cudaError_t fill_indices(void* memory, std::int64_t count, std::int64_t below, cudaStream_t stream);

/// RMSNorm: out = x / sqrt(mean of x^2) * weight, row by row.
cudaError_t norm(void* out, const void* x, const void* weight, std::int64_t rows,
                 std::int64_t columns, Element element, cudaStream_t stream);
/// Rotates neighbouring pairs by the angles of the row's position: table[positions][pairs] of
/// (cosine, sine) in fp32; pairs beyond those repeat them, as one head after the other does.
cudaError_t rotary(void* out, const void* x, const void* table, std::int64_t rows,
                   std::int64_t columns, int positions, int pairs, Element element,
                   cudaStream_t stream);
/// out = gate / (1 + exp(-gate)) * up.
cudaError_t gated_activation(void* out, const void* gate, const void* up, std::int64_t elements,
                             Element element, cudaStream_t stream);
/// out = a + b.
cudaError_t residual(void* out, const void* a, const void* b, std::int64_t elements,
                     Element element, cudaStream_t stream);
/// Row by row; a row is read a second time, from the cache that the first reading left it in.
cudaError_t softmax(void* out, const void* x, std::int64_t rows, std::int64_t columns,
                    Element element, cudaStream_t stream);
/// loss = log of the sum of exp(x) - x[label], row by row in one reading.
cudaError_t cross_entropy(float* loss, const void* x, const std::int32_t* labels, std::int64_t rows,
                          std::int64_t columns, Element element, cudaStream_t stream);
/// out[row] = vocabulary[index[row]].
cudaError_t embedding(void* out, const void* vocabulary, const std::int32_t* index,
                      std::int64_t rows, std::int64_t columns, Element element,
                      cudaStream_t stream);
/// A step of AdamW on fp32 weights and moments.
cudaError_t adam(float* weight, float* mean, float* variance, const void* gradient,
                 std::int64_t elements, Element element, cudaStream_t stream);
/// From fp32, or from bf16 to fp8.
cudaError_t cast(void* out, const void* x, std::int64_t elements, Element to, cudaStream_t stream);
cudaError_t nothing(cudaStream_t stream);

}  // namespace calibrate::runtime::cuda
