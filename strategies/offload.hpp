#pragma once

#include "base/map_reader.hpp"

namespace strategies {

struct Plan;

/// What lies in the memory of the host while the GPU does not need it.
struct Offload {
  /// Master weights and moments; Adam runs on the CPUs (ZeRO-Offload, arXiv 2101.06840). `zero`
  /// up to 2; FSDP has fsdp.offload.
  bool optimizer = false;
};

/// Reads `plan.offload`.
void read_offload(base::MapReader& reader, const Plan& plan, Offload& offload);

}  // namespace strategies
