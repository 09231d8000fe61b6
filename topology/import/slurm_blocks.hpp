#pragma once

#include <vector>

#include "base/map_reader.hpp"
#include "topology/found_cluster.hpp"

namespace topology {

/// A block of Slurm's topology/block plugin, or a ring.
struct SlurmBlock {
  base::PlacedText name;
  std::vector<base::PlacedText> nodes;
};

/// Gives `to` the nodes with one level, `level`. Slurm says only that a block's nodes are near each
/// other; it is meant for NVLink domains, so each block is also the accelerator domain of its
/// nodes. A node in two blocks is a mistake.
void hang_blocks(const std::vector<SlurmBlock>& blocks, std::string level, FoundCluster& to,
                 base::Diagnostics& problems);

}  // namespace topology
