#include <fmt/format.h>
#include <fmt/ranges.h>

#include "topology/export/slurm_blocks.hpp"
#include "topology/export/slurm_rules.hpp"
#include "topology/export/writers.hpp"
#include "topology/hostlist.hpp"

namespace topology {

base::Result<Exported> write_slurm_tree(const FoundCluster& cluster) {
  Exported out;
  const auto tree = export_tree(cluster, slurm_rules, out.notes);
  if (!tree) return tl::unexpected(tree.error());
  for (const ExportSwitch& one : tree->switches)
    out.text += one.switches.empty()
                    ? fmt::format("SwitchName={} Nodes={}\n", one.name,
                                  compress_hostlist(names_of(*tree, one.nodes)))
                    : fmt::format("SwitchName={} Switches={}\n", one.name,
                                  compress_hostlist(switch_names(*tree, one.switches)));
  return out;
}

base::Result<Exported> write_slurm_block(const FoundCluster& cluster) {
  Exported out;
  const auto blocks = slurm_blocks(cluster, out.notes);
  if (!blocks) return tl::unexpected(blocks.error());
  for (const SlurmBlocks::Block& block : blocks->blocks)
    out.text += fmt::format("BlockName={} Nodes={}\n", block.name, compress_hostlist(block.nodes));
  out.text += fmt::format("BlockSizes={}\n", fmt::join(blocks->sizes, ","));
  return out;
}

}  // namespace topology
