#pragma once

#include <string>
#include <vector>

#include "topology/export/format.hpp"

namespace topology {

/// What Slurm's plugin topology/block wants to know.
struct SlurmBlocks {
  struct Block {
    std::string name;
    std::vector<std::string> nodes;  ///< in natural order
  };
  std::vector<Block> blocks;
  std::vector<std::size_t> sizes;  ///< BlockSizes: nodes of a block, then of 2, 4, ... together
  bool of_accelerators = false;    ///< blocks are NVLink domains, else the switches next to nodes
};

/// NVLink domains, or their partitions where those are known, are the blocks; without any, what is
/// below each lowest switch. Sizes as Topograph 1.0 infers them: of the smallest block, doubled up
/// to as many blocks as there are; with partitions the largest one, and that doubled until it holds
/// the largest domain.
base::Result<SlurmBlocks> slurm_blocks(const FoundCluster& cluster, base::Diagnostics& notes);

}  // namespace topology
