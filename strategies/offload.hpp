#pragma once

#include "base/map_reader.hpp"

namespace strategies {

/// What lies in the memory of the host while the GPU does not need it.
struct Offload {
  /// Master weights and moments; Adam runs on the CPUs (ZeRO-Offload, arXiv 2101.06840). `zero`
  /// up to 2; FSDP has fsdp.offload.
  bool optimizer = false;
  /// Share of what a forward keeps for its backward that goes out after the former and comes in
  /// before the latter.
  double activations = 0;
};

/// Reads `plan.offload`; `activations` is true, false or a share.
void read_offload(base::MapReader& reader, int zero, Offload& offload);

}  // namespace strategies
