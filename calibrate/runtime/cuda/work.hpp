#pragma once

#include <cuda_runtime_api.h>

#include <functional>
#include <memory>
#include <string>

#include "calibrate/runtime/cuda/nvml.hpp"
#include "calibrate/runtime/runtime.h"

namespace calibrate::runtime::cuda {

/// An open device.
struct Device {
  int ordinal = 0;
  std::string name;
  std::string identity;  ///< "GPU-" and its UUID
  std::int64_t memory = 0;
  std::int64_t cache = 0;  ///< the last one, L2
  int capability = 0;      ///< 90 for 9.0
  NvmlDevice sensors;
  std::string error;  ///< of the last call that failed
};

/// A kernel that can be launched again and again.
class Work {
 public:
  Work() = default;
  virtual ~Work() = default;
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  virtual void launch(cudaStream_t stream) = 0;
  virtual const char* library() const = 0;
  virtual const char* variant() const { return ""; }
};

/// `best`: of several ways that the library has, the one that is fastest here. All throw Failure
/// for what the device does not have.
std::unique_ptr<Work> prepare_gemm(const Device& device, const foreshard_kernel& kernel, bool best);
std::unique_ptr<Work> prepare_attention(const Device& device, const foreshard_kernel& kernel,
                                        bool best);
/// The kinds that are bounded by memory or by the launch.
std::unique_ptr<Work> prepare_memory_bound(const Device& device, const foreshard_kernel& kernel);

/// Versions of the libraries that attention stands on; empty where it was not built.
std::string attention_version();

/// Seconds of one call of `launch` out of ten in a row, after one for warming up.
double seconds_of(const std::function<void(cudaStream_t)>& launch);

}  // namespace calibrate::runtime::cuda
