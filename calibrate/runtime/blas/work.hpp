#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "calibrate/runtime/runtime.h"

/// Kernels on one core of a CPU, in fp32: OpenBLAS for matrix products, plain loops for the rest.
namespace calibrate::runtime::blas {

/// Arrays of floats that a work walks through: each use takes the next copy, so that what is
/// launched again and again does not find its operands in a cache that a step would not have them
/// in.
class Operands {
 public:
  /// `floats` of each array; as many copies as make 64 MiB, at least one and at most 16.
  explicit Operands(std::vector<std::int64_t> floats);
  /// The arrays of the next copy.
  const std::vector<float*>& next();

 private:
  std::vector<float> memory_;
  std::vector<std::vector<float*>> copies_;
  std::size_t at_ = 0;
};

class Work {
 public:
  virtual ~Work() = default;
  virtual void run() = 0;
  /// "OpenBLAS", or "loops" for what no BLAS has.
  virtual const char* library() const = 0;
};

/// Null, with the reason, for what a CPU core does not do here.
std::unique_ptr<Work> make_gemm(const foreshard_kernel& kernel, std::string& reason);
std::unique_ptr<Work> make_attention(const foreshard_kernel& kernel, std::string& reason);
std::unique_ptr<Work> make_memory_bound(const foreshard_kernel& kernel, std::string& reason);

}  // namespace calibrate::runtime::blas
