// Kernels with a block for each row.

#include <algorithm>

#include "calibrate/runtime/cuda/kernels.hpp"
#include "calibrate/runtime/cuda/pack.cuh"

namespace calibrate::runtime::cuda {

namespace {

/// A whole number of warps, about one pack a thread, at most 1,024.
unsigned threads_for(std::int64_t packs) {
  const std::int64_t warps = (packs + 31) / 32;
  return static_cast<unsigned>(32 * std::clamp<std::int64_t>(warps, 1, 32));
}

/// exp of large numbers is summed relative to the largest so far, so that one reading suffices.
struct ExpSum {
  float largest = -INFINITY;
  float sum = 0.0F;

  template <class T>
  __device__ void add(const Pack<T>& pack) {
    float highest = largest;
#pragma unroll
    for (int j = 0; j < Pack<T>::count; ++j) highest = fmaxf(highest, value(pack.values[j]));
    sum *= __expf(largest - highest);
    largest = highest;
#pragma unroll
    for (int j = 0; j < Pack<T>::count; ++j) sum += __expf(value(pack.values[j]) - largest);
  }
};

template <class T>
__device__ ExpSum exp_sum_of_row(const T* row, int packs) {
  ExpSum mine;
  for (int i = static_cast<int>(threadIdx.x); i < packs; i += static_cast<int>(blockDim.x))
    mine.add(load(row, i));
  const float largest = over_block<Maximum>(mine.largest);
  const float scaled = mine.sum > 0.0F ? mine.sum * __expf(mine.largest - largest) : 0.0F;
  return {largest, over_block<Sum>(scaled)};
}

template <class T>
__global__ void norm_row(T* out, const T* x, const T* weight, int packs) {
  const std::int64_t start = static_cast<std::int64_t>(blockIdx.x) * packs * Pack<T>::count;
  float squares = 0.0F;
  for (int i = static_cast<int>(threadIdx.x); i < packs; i += static_cast<int>(blockDim.x)) {
    const Pack<T> in = load(x + start, i);
#pragma unroll
    for (int j = 0; j < Pack<T>::count; ++j) {
      const float v = value(in.values[j]);
      squares += v * v;
    }
  }
  const float elements = static_cast<float>(packs) * Pack<T>::count;
  const float scale = rsqrtf(over_block<Sum>(squares) / elements + 1e-5F);
  for (int i = static_cast<int>(threadIdx.x); i < packs; i += static_cast<int>(blockDim.x)) {
    const Pack<T> in = load(x + start, i);  // still in the cache of this processor
    const Pack<T> w = load(weight, i);
    Pack<T> result;
#pragma unroll
    for (int j = 0; j < Pack<T>::count; ++j)
      result.values[j] = narrowed<T>(value(in.values[j]) * scale * value(w.values[j]));
    store(out + start, i, result);
  }
}

template <class T>
__global__ void softmax_row(T* out, const T* x, int packs) {
  const std::int64_t start = static_cast<std::int64_t>(blockIdx.x) * packs * Pack<T>::count;
  const ExpSum row = exp_sum_of_row(x + start, packs);
  const float scale = 1.0F / row.sum;
  for (int i = static_cast<int>(threadIdx.x); i < packs; i += static_cast<int>(blockDim.x)) {
    const Pack<T> in = load(x + start, i);
    Pack<T> result;
#pragma unroll
    for (int j = 0; j < Pack<T>::count; ++j)
      result.values[j] = narrowed<T>(__expf(value(in.values[j]) - row.largest) * scale);
    store(out + start, i, result);
  }
}

template <class T>
__global__ void cross_entropy_row(float* loss, const T* x, const std::int32_t* labels, int packs) {
  const std::int64_t start = static_cast<std::int64_t>(blockIdx.x) * packs * Pack<T>::count;
  const ExpSum row = exp_sum_of_row(x + start, packs);
  if (threadIdx.x == 0)
    loss[blockIdx.x] = row.largest + __logf(row.sum) - value(x[start + labels[blockIdx.x]]);
}

}  // namespace

cudaError_t norm(void* out, const void* x, const void* weight, std::int64_t rows,
                 std::int64_t columns, Element element, cudaStream_t stream) {
  return with_wide_type(element, [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t packs = columns / Pack<T>::count;
    norm_row<<<static_cast<unsigned>(rows), threads_for(packs), 0, stream>>>(
        static_cast<T*>(out), static_cast<const T*>(x), static_cast<const T*>(weight),
        static_cast<int>(packs));
    return cudaGetLastError();
  });
}

cudaError_t softmax(void* out, const void* x, std::int64_t rows, std::int64_t columns,
                    Element element, cudaStream_t stream) {
  return with_wide_type(element, [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t packs = columns / Pack<T>::count;
    softmax_row<<<static_cast<unsigned>(rows), threads_for(packs), 0, stream>>>(
        static_cast<T*>(out), static_cast<const T*>(x), static_cast<int>(packs));
    return cudaGetLastError();
  });
}

cudaError_t cross_entropy(float* loss, const void* x, const std::int32_t* labels, std::int64_t rows,
                          std::int64_t columns, Element element, cudaStream_t stream) {
  return with_wide_type(element, [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t packs = columns / Pack<T>::count;
    cross_entropy_row<<<static_cast<unsigned>(rows), threads_for(packs), 0, stream>>>(
        loss, static_cast<const T*>(x), labels, static_cast<int>(packs));
    return cudaGetLastError();
  });
}

}  // namespace calibrate::runtime::cuda
