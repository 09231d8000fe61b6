#pragma once

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_fp8.h>

#include <cstdint>

// What kernels load and store: 16 bytes of elements at a time, and their values as floats.
namespace calibrate::runtime::cuda {

template <class T>
struct alignas(16) Pack {
  static constexpr int count = 16 / static_cast<int>(sizeof(T));
  T values[count];
};

template <class T>
__device__ inline Pack<T> load(const T* from, std::int64_t pack) {
  return reinterpret_cast<const Pack<T>*>(from)[pack];
}

template <class T>
__device__ inline void store(T* to, std::int64_t pack, const Pack<T>& values) {
  reinterpret_cast<Pack<T>*>(to)[pack] = values;
}

template <class T>
__device__ inline float value(T x) {
  return static_cast<float>(x);
}

template <class T>
__device__ inline T narrowed(float x) {
  return T(x);
}

/// The sum or the maximum of all threads of a block, in all of them.
struct Sum {
  static __device__ float none() { return 0.0F; }
  static __device__ float of(float a, float b) { return a + b; }
};
struct Maximum {
  static __device__ float none() { return -INFINITY; }
  static __device__ float of(float a, float b) { return fmaxf(a, b); }
};

template <class Operation>
__device__ inline float over_block(float mine) {
  __shared__ float of_warps[32];
  for (int lane = 16; lane > 0; lane /= 2)
    mine = Operation::of(mine, __shfl_xor_sync(0xFFFFFFFFU, mine, lane));
  const unsigned warp = threadIdx.x / 32;
  const unsigned lane = threadIdx.x % 32;
  __syncthreads();  // whoever still reads an earlier result
  if (lane == 0) of_warps[warp] = mine;
  __syncthreads();
  mine = lane < blockDim.x / 32 ? of_warps[lane] : Operation::none();
  for (int other = 16; other > 0; other /= 2)
    mine = Operation::of(mine, __shfl_xor_sync(0xFFFFFFFFU, mine, other));
  return mine;
}

/// Calls `action` with a zero of the type that lies in memory; nothing is computed in fp8.
template <class Action>
auto with_wide_type(Element element, Action action) {
  switch (element) {
    case Element::fp16: return action(__half{});
    case Element::bf16: return action(__nv_bfloat16{});
    default: return action(float{});
  }
}

}  // namespace calibrate::runtime::cuda
