#pragma once

#include <array>
#include <span>
#include <string>

namespace calibrate::runtime::cuda {

/// A UUID as NVIDIA's tools print it: "GPU-01234567-89ab-cdef-0123-456789abcdef".
std::string identity_of(std::span<const char, 16> uuid);

/// "13.0" of 13000: how CUDA counts its versions.
std::string cuda_version(int number);
/// "9.19.0" of 91900, "13.1.2" of 130102: how cuDNN and cuBLAS count theirs.
std::string library_version(std::size_t number);

}  // namespace calibrate::runtime::cuda
