// Kernels in which every element stands for itself.

#include "calibrate/runtime/cuda/kernels.hpp"
#include "calibrate/runtime/cuda/pack.cuh"

namespace calibrate::runtime::cuda {

namespace {

constexpr unsigned threads = 256;

/// Blocks for so many packs, one a thread.
unsigned blocks_for(std::int64_t packs) {
  return static_cast<unsigned>((packs + threads - 1) / threads);
}

template <class T>
std::int64_t packs_of(std::int64_t elements) {
  return (elements + Pack<T>::count - 1) / Pack<T>::count;
}

__device__ inline std::int64_t thread_index() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

struct Add {
  static __device__ float of(float a, float b) { return a + b; }
};
struct SiluTimes {
  static __device__ float of(float gate, float up) { return gate / (1.0F + __expf(-gate)) * up; }
};

template <class Operation, class T>
__global__ void combine(T* out, const T* a, const T* b, std::int64_t packs) {
  const std::int64_t i = thread_index();
  if (i >= packs) return;
  const Pack<T> left = load(a, i);
  const Pack<T> right = load(b, i);
  Pack<T> result;
#pragma unroll
  for (int j = 0; j < Pack<T>::count; ++j)
    result.values[j] = narrowed<T>(Operation::of(value(left.values[j]), value(right.values[j])));
  store(out, i, result);
}

template <class Operation>
cudaError_t launch_combine(void* out, const void* a, const void* b, std::int64_t elements,
                           Element element, cudaStream_t stream) {
  return with_wide_type(element, [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t packs = packs_of<T>(elements);
    combine<Operation><<<blocks_for(packs), threads, 0, stream>>>(
        static_cast<T*>(out), static_cast<const T*>(a), static_cast<const T*>(b), packs);
    return cudaGetLastError();
  });
}

template <class T>
__global__ void rotate_pairs(T* out, const T* x, const float2* table, std::int64_t packs,
                             int packs_in_row, int positions, int pairs) {
  const std::int64_t i = thread_index();
  if (i >= packs) return;
  const std::int64_t position = i / packs_in_row % positions;
  const std::int64_t first_pair = i % packs_in_row * (Pack<T>::count / 2);
  const Pack<T> in = load(x, i);
  Pack<T> result;
#pragma unroll
  for (int j = 0; j < Pack<T>::count / 2; ++j) {
    const float2 angle = table[position * pairs + (first_pair + j) % pairs];
    const float a = value(in.values[2 * j]);
    const float b = value(in.values[2 * j + 1]);
    result.values[2 * j] = narrowed<T>(a * angle.x - b * angle.y);
    result.values[2 * j + 1] = narrowed<T>(a * angle.y + b * angle.x);
  }
  store(out, i, result);
}

/// A warp reads and writes 512 bytes in a row, whatever the row's length.
template <class T>
__global__ void gather_rows(T* out, const T* vocabulary, const std::int32_t* index,
                            std::int64_t packs, int packs_in_row) {
  const std::int64_t i = thread_index();
  if (i >= packs) return;
  const std::int64_t word = index[i / packs_in_row];
  store(out, i, load(vocabulary, word * packs_in_row + i % packs_in_row));
}

/// A thread has the pack of fp32 weights, and a part of a pack of gradients.
template <class T>
__global__ void adam_step(float* weight, float* mean, float* variance, const T* gradient,
                          std::int64_t packs) {
  constexpr float beta1 = 0.9F;
  constexpr float beta2 = 0.95F;
  constexpr float rate = 1e-4F;
  constexpr float decay = 0.1F;
  constexpr float epsilon = 1e-8F;
  struct alignas(4 * sizeof(T)) Four {
    T values[4];
  };
  const std::int64_t i = thread_index();
  if (i >= packs) return;
  const Four gradients = reinterpret_cast<const Four*>(gradient)[i];
  Pack<float> p = load(weight, i);
  Pack<float> m = load(mean, i);
  Pack<float> v = load(variance, i);
#pragma unroll
  for (int j = 0; j < 4; ++j) {
    const float g = value(gradients.values[j]);
    m.values[j] = beta1 * m.values[j] + (1.0F - beta1) * g;
    v.values[j] = beta2 * v.values[j] + (1.0F - beta2) * g * g;
    p.values[j] -= rate * (m.values[j] / (sqrtf(v.values[j]) + epsilon) + decay * p.values[j]);
  }
  store(weight, i, p);
  store(mean, i, m);
  store(variance, i, v);
}

/// A thread writes a pack, and reads the several that it is made from.
template <class To, class From>
__global__ void convert(To* out, const From* x, std::int64_t packs) {
  constexpr int sources = Pack<To>::count / Pack<From>::count;
  const std::int64_t i = thread_index();
  if (i >= packs) return;
  Pack<To> result;
#pragma unroll
  for (int source = 0; source < sources; ++source) {
    const Pack<From> in = load(x, i * sources + source);
#pragma unroll
    for (int j = 0; j < Pack<From>::count; ++j)
      result.values[source * Pack<From>::count + j] = narrowed<To>(value(in.values[j]));
  }
  store(out, i, result);
}

template <class To, class From>
cudaError_t launch_convert(void* out, const void* x, std::int64_t elements, cudaStream_t stream) {
  const std::int64_t packs = packs_of<To>(elements);
  convert<<<blocks_for(packs), threads, 0, stream>>>(static_cast<To*>(out),
                                                     static_cast<const From*>(x), packs);
  return cudaGetLastError();
}

__global__ void do_nothing() {}

}  // namespace

cudaError_t residual(void* out, const void* a, const void* b, std::int64_t elements,
                     Element element, cudaStream_t stream) {
  return launch_combine<Add>(out, a, b, elements, element, stream);
}

cudaError_t gated_activation(void* out, const void* gate, const void* up, std::int64_t elements,
                             Element element, cudaStream_t stream) {
  return launch_combine<SiluTimes>(out, gate, up, elements, element, stream);
}

cudaError_t rotary(void* out, const void* x, const void* table, std::int64_t rows,
                   std::int64_t columns, int positions, int pairs, Element element,
                   cudaStream_t stream) {
  return with_wide_type(element, [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t packs = packs_of<T>(rows * columns);
    rotate_pairs<<<blocks_for(packs), threads, 0, stream>>>(
        static_cast<T*>(out), static_cast<const T*>(x), static_cast<const float2*>(table), packs,
        static_cast<int>(packs_of<T>(columns)), positions, pairs);
    return cudaGetLastError();
  });
}

cudaError_t embedding(void* out, const void* vocabulary, const std::int32_t* index,
                      std::int64_t rows, std::int64_t columns, Element element,
                      cudaStream_t stream) {
  return with_wide_type(element, [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t packs = packs_of<T>(rows * columns);
    gather_rows<<<blocks_for(packs), threads, 0, stream>>>(
        static_cast<T*>(out), static_cast<const T*>(vocabulary), index, packs,
        static_cast<int>(packs_of<T>(columns)));
    return cudaGetLastError();
  });
}

cudaError_t adam(float* weight, float* mean, float* variance, const void* gradient,
                 std::int64_t elements, Element element, cudaStream_t stream) {
  return with_wide_type(element, [&](auto zero) {
    using T = decltype(zero);
    const std::int64_t packs = packs_of<float>(elements);
    adam_step<<<blocks_for(packs), threads, 0, stream>>>(weight, mean, variance,
                                                         static_cast<const T*>(gradient), packs);
    return cudaGetLastError();
  });
}

cudaError_t cast(void* out, const void* x, std::int64_t elements, Element to, cudaStream_t stream) {
  switch (to) {
    case Element::fp8:
      return launch_convert<__nv_fp8_e4m3, __nv_bfloat16>(out, x, elements, stream);
    case Element::fp16: return launch_convert<__half, float>(out, x, elements, stream);
    default: return launch_convert<__nv_bfloat16, float>(out, x, elements, stream);
  }
}

cudaError_t nothing(cudaStream_t stream) {
  do_nothing<<<1, 32, 0, stream>>>();
  return cudaGetLastError();
}

}  // namespace calibrate::runtime::cuda
