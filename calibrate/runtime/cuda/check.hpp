#pragma once

#include <cublasLt.h>
#include <cuda_runtime_api.h>

#include <string_view>

namespace calibrate::runtime::cuda {

/// Throws Failure "what: the library's words" where a call did not succeed.
void check(cudaError_t status, std::string_view what);
void check(cublasStatus_t status, std::string_view what);

}  // namespace calibrate::runtime::cuda
