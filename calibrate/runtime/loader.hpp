#pragma once

#include <string>
#include <string_view>

#include "base/diagnostic.hpp"
#include "calibrate/runtime/runtime.h"

/// Runtimes that execute, by name: "cuda", "blas", "nccl", "mpi", "gloo", or somebody else's.
namespace calibrate::runtime {

/// The environment variable that names the library of a runtime: "cuda" has
/// FORESHARD_RUNTIME_CUDA_LIB. Empty when no runtime can have that name.
std::string library_variable(std::string_view name);

/// Where the library of a runtime is looked for: where its variable says, or that of a backend of
/// the name (calibrate/backends/plugin.h), which may execute what it prices, else beside the
/// program.
std::string library_path(std::string_view name);

/// The kernels of a runtime, with every function of their table; a runtime that is not there, is of
/// another interface or lacks something is a mistake that names its library. That a runtime is
/// there does not mean that it has a device: ask `devices`.
base::Result<const foreshard_compute*> load_compute(const std::string& name);

/// Its messages between ranks, likewise.
base::Result<const foreshard_network*> load_network(const std::string& name);

}  // namespace calibrate::runtime
