#include <array>

#include "topology/export/format.hpp"
#include "topology/export/writers.hpp"

namespace topology {

namespace {

constexpr std::array<ExportFormat, 11> formats{{
    {"foreshard", "everything that is known, for foreshard to read again (JSON)",
     write_foreshard_json},
    {"slurm-tree", "topology.conf of Slurm's plugin topology/tree", write_slurm_tree},
    {"slurm-block", "topology.conf of Slurm's plugin topology/block", write_slurm_block},
    {"slurm-yaml", "topology.yaml of Slurm 25.05 and later", write_slurm_yaml},
    {"kueue", "Topology object of Kueue", write_kueue},
    {"volcano", "HyperNode objects of Volcano", write_volcano},
    {"topograph", "model of Topograph, YAML", write_topograph_model},
    {"topograph-graph", "graph of Topograph, JSON", write_topograph_graph},
    {"infragraph", "InfraGraph of Keysight, YAML", write_infragraph},
    {"graphml", "GraphML", write_graphml},
    {"hostlist", "names of all nodes as a Slurm hostlist", write_hostlist},
}};

}  // namespace

std::span<const ExportFormat> export_formats() { return formats; }

}  // namespace topology
