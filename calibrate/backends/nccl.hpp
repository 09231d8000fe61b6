#pragma once

#include <memory>
#include <string>

#include "base/diagnostic.hpp"
#include "calibrate/backend.hpp"

namespace calibrate {

struct NcclOptions {
  std::string version = "2.28";
  std::string algorithms;  ///< as in NCCL_ALGO; empty: NCCL's choice
  std::string protocols;   ///< as in NCCL_PROTO
};

/// NCCL as collective_model.hpp prices it: one version, which chooses algorithm and protocol.
/// Mistakes name NCCL_ALGO, NCCL_PROTO or NCCL as their file.
base::Result<std::unique_ptr<CollectiveBackend>> make_nccl_backend(const NcclOptions& options);

}  // namespace calibrate
