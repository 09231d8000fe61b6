#include <array>

#include "topology/import/foreshard_json.hpp"
#include "topology/import/format.hpp"
#include "topology/import/slurm.hpp"
#include "topology/import/topograph.hpp"

namespace topology {

namespace {

constexpr std::array<ImportFormat, 5> formats{{
    {.name = "foreshard",
     .what = "a cluster that foreshard wrote, JSON",
     .detect = is_foreshard_json,
     .read = read_foreshard_json},
    {.name = "slurm-conf",
     .what = "Slurm's topology.conf, or the output of scontrol show topology",
     .detect = is_slurm_conf,
     .read = read_slurm_conf},
    {.name = "slurm-yaml",
     .what = "Slurm's topology.yaml",
     .detect = is_slurm_yaml,
     .read = read_slurm_yaml},
    {.name = "topograph",
     .what = "model of Topograph, YAML",
     .detect = is_topograph_model,
     .read = read_topograph_model},
    {.name = "topograph-graph",
     .what = "answer of Topograph's engine graph, JSON",
     .detect = is_topograph_graph,
     .read = read_topograph_graph},
}};

}  // namespace

std::span<const ImportFormat> import_formats() { return formats; }

}  // namespace topology
