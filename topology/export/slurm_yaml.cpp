#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/quoted.hpp"
#include "topology/export/slurm_blocks.hpp"
#include "topology/export/slurm_rules.hpp"
#include "topology/export/writers.hpp"
#include "topology/hostlist.hpp"

namespace topology {

base::Result<Exported> write_slurm_yaml(const FoundCluster& cluster) {
  Exported out;
  ExportRules rules = slurm_rules;
  rules.keeps_accelerators = true;
  const auto tree = export_tree(cluster, rules, out.notes);
  if (!tree) return tl::unexpected(tree.error());
  out.text += "---\n- topology: tree\n  cluster_default: true\n  tree:\n    switches:\n";
  for (const ExportSwitch& one : tree->switches) {
    const bool leaf = one.switches.empty();
    out.text += fmt::format(
        "      - switch: {}\n        {}: {}\n", base::quoted(one.name), leaf ? "nodes" : "children",
        base::quoted(compress_hostlist(leaf ? names_of(*tree, one.nodes)
                                            : switch_names(*tree, one.switches))));
  }
  const bool has_domains =
      std::any_of(cluster.nodes.begin(), cluster.nodes.end(),
                  [](const FoundNode& node) { return !node.accelerator_domain.empty(); });
  if (!has_domains) return out;
  const auto blocks = slurm_blocks(cluster, out.notes);
  if (!blocks) return tl::unexpected(blocks.error());
  out.text += fmt::format(
      "- topology: block\n  cluster_default: false\n  block:\n    block_sizes: [{}]\n"
      "    blocks:\n",
      fmt::join(blocks->sizes, ", "));
  for (const SlurmBlocks::Block& block : blocks->blocks)
    out.text += fmt::format("      - block: {}\n        nodes: {}\n", base::quoted(block.name),
                            base::quoted(compress_hostlist(block.nodes)));
  return out;
}

}  // namespace topology
