#pragma once

#include "topology/export/format.hpp"

/// The writers behind the rows of `export_formats`, a file each.
namespace topology {

/// "foreshard.cluster.v1": everything that is known, for read_foreshard_json to read again. Rates
/// in bit/s. Places in the dumps are not kept; `sources` names the files. What is unknown is left
/// out.
base::Result<Exported> write_foreshard_json(const FoundCluster& cluster);
/// topology.conf of Slurm's plugin topology/tree.
base::Result<Exported> write_slurm_tree(const FoundCluster& cluster);
/// topology.conf of Slurm's plugin topology/block (Slurm 23.11): see `slurm_blocks`.
base::Result<Exported> write_slurm_block(const FoundCluster& cluster);
/// topology.yaml of Slurm 25.05: the tree, and the blocks where NVLink domains are known.
base::Result<Exported> write_slurm_yaml(const FoundCluster& cluster);
/// Kueue's Topology object: the levels, where they are label keys.
base::Result<Exported> write_kueue(const FoundCluster& cluster);
/// Volcano's HyperNode objects.
base::Result<Exported> write_volcano(const FoundCluster& cluster);
/// Topograph's model (YAML), as its simulated providers read it.
base::Result<Exported> write_topograph_model(const FoundCluster& cluster);
/// Topograph's graph (JSON): each node with its switches, nearest first.
base::Result<Exported> write_topograph_graph(const FoundCluster& cluster);
/// GraphML of nodes, switches and cables; without cables, of the tree of domains.
base::Result<Exported> write_graphml(const FoundCluster& cluster);
/// InfraGraph 2.4 (Keysight): a device for each kind of node and switch, an edge for each cable
/// that is not down. A mistake without cables.
base::Result<Exported> write_infragraph(const FoundCluster& cluster);
/// The names of all nodes on one line.
base::Result<Exported> write_hostlist(const FoundCluster& cluster);

}  // namespace topology
