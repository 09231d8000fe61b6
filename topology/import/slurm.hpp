#pragma once

#include "topology/import/format.hpp"

namespace topology {

/// Slurm's topology.conf (trees, blocks, rings) and what `scontrol show topology` prints. As
/// slurmctld 22.05 reads it: keys in any case, `#` comments, lines continued by a backslash.
bool is_slurm_conf(std::string_view text);
base::Result<FoundCluster> read_slurm_conf(std::span<const DumpFile> files,
                                           const ImportContext& context);

}  // namespace topology
