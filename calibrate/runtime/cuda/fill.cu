// Synthetic operands.

#include "calibrate/runtime/cuda/kernels.hpp"
#include "calibrate/runtime/cuda/pack.cuh"

namespace calibrate::runtime::cuda {

namespace {

constexpr unsigned threads = 256;
constexpr unsigned blocks = 4096;  // each thread takes its turn again and again

__device__ inline std::int64_t first_index() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

__device__ inline std::int64_t next_index(std::int64_t index) {
  return index + static_cast<std::int64_t>(gridDim.x) * blockDim.x;
}

/// 64 well-mixed bits of a number (the finaliser of SplitMix64).
__device__ inline std::uint64_t mixed(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9U;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBU;
  return x ^ (x >> 31);
}

template <class T>
__global__ void fill(T* memory, std::int64_t elements, float low, std::uint64_t seed) {
  for (std::int64_t i = first_index(); i < elements; i = next_index(i)) {
    const auto bits = mixed(seed + static_cast<std::uint64_t>(i) * 0x9E3779B97F4A7C15U) >> 40;
    const float unit = static_cast<float>(bits) * 0x1p-24F;
    memory[i] = narrowed<T>(low + (1.0F - low) * unit);
  }
}

/// Multiples of a prime above `below` meet every number before one comes again.
__global__ void fill_scrambled(std::int32_t* memory, std::int64_t count, std::int64_t below) {
  constexpr std::int64_t prime = 2654435761;
  for (std::int64_t i = first_index(); i < count; i = next_index(i))
    memory[i] = static_cast<std::int32_t>(i % below * prime % below);
}

template <class T>
cudaError_t launch_fill(void* memory, std::int64_t elements, bool positive, std::uint64_t seed,
                        cudaStream_t stream) {
  fill<<<blocks, threads, 0, stream>>>(static_cast<T*>(memory), elements, positive ? 0.0F : -1.0F,
                                       seed);
  return cudaGetLastError();
}

}  // namespace

cudaError_t fill_random(void* memory, std::int64_t elements, Element element, bool positive,
                        std::uint64_t seed, cudaStream_t stream) {
  switch (element) {
    case Element::fp32: return launch_fill<float>(memory, elements, positive, seed, stream);
    case Element::fp16: return launch_fill<__half>(memory, elements, positive, seed, stream);
    case Element::bf16: return launch_fill<__nv_bfloat16>(memory, elements, positive, seed, stream);
    case Element::fp8: return launch_fill<__nv_fp8_e4m3>(memory, elements, positive, seed, stream);
  }
  return cudaErrorInvalidValue;
}

cudaError_t fill_indices(void* memory, std::int64_t count, std::int64_t below,
                         cudaStream_t stream) {
  fill_scrambled<<<blocks, threads, 0, stream>>>(static_cast<std::int32_t*>(memory), count, below);
  return cudaGetLastError();
}

}  // namespace calibrate::runtime::cuda
