#pragma once

#include <vector>

#include "base/collective.hpp"
#include "base/kernel.hpp"
#include "base/units.hpp"

namespace strategies::autoshard {

/// What things cost on the ranks of a device mesh; all ranks do the same at once, so sibling groups
/// of a collective share the network.
class Prices {
 public:
  virtual ~Prices() = default;
  virtual base::Seconds kernel(const base::Kernel& kernel) const = 0;
  /// By all groups of ranks that differ along `mesh_dims` only, as one group each (flat). `bytes`
  /// as nccl-tests counts them, see base::Collective.
  virtual base::Seconds collective(base::Collective op, base::Bytes bytes,
                                   const std::vector<int>& mesh_dims) const = 0;
};

}  // namespace strategies::autoshard
