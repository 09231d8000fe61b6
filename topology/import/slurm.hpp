#pragma once

#include "topology/import/format.hpp"

namespace topology {

/// Slurm's topology.conf (trees, blocks, rings) and what `scontrol show topology` prints. As
/// slurmctld 22.05 reads it: keys in any case, `#` comments, lines continued by a backslash.
bool is_slurm_conf(std::string_view text);
base::Result<FoundCluster> read_slurm_conf(std::span<const DumpFile> files,
                                           const ImportContext& context);

/// Slurm's topology.yaml (25.05): of its topologies the one that is the cluster's default, else the
/// first that tells of switches, blocks or rings. torus3d is no tree and is refused.
bool is_slurm_yaml(std::string_view text);
base::Result<FoundCluster> read_slurm_yaml(std::span<const DumpFile> files,
                                           const ImportContext& context);

}  // namespace topology
