#pragma once

#include "topology/export/tree.hpp"

namespace topology {

/// Switch names of at most 64 letters (topology.conf(5)); a switch with nodes and switches is fatal
/// to slurmctld 22.05.
inline constexpr ExportRules slurm_rules{
    .name_max = 64, .letters = name_letters, .nodes_apart = true};

}  // namespace topology
