#include "calibrate/runtime/cuda/check.hpp"

#include <fmt/format.h>

#include "calibrate/runtime/failure.hpp"

namespace calibrate::runtime::cuda {

void check(cudaError_t status, std::string_view what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // else the next call would report this one again
  throw Failure(
      fmt::format("{}: {} ({})", what, cudaGetErrorString(status), cudaGetErrorName(status)));
}

void check(cublasStatus_t status, std::string_view what) {
  if (status == CUBLAS_STATUS_SUCCESS) return;
  throw Failure(fmt::format("{}: {}", what, cublasLtGetStatusName(status)));
}

}  // namespace calibrate::runtime::cuda
