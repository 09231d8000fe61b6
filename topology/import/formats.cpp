#include <array>

#include "topology/import/format.hpp"
#include "topology/import/slurm.hpp"

namespace topology {

namespace {

constexpr std::array<ImportFormat, 1> formats{{
    {.name = "slurm-conf",
     .what = "Slurm's topology.conf, or the output of scontrol show topology",
     .detect = is_slurm_conf,
     .read = read_slurm_conf},
}};

}  // namespace

std::span<const ImportFormat> import_formats() { return formats; }

}  // namespace topology
