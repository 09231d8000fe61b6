#include "topology/import/slurm_blocks.hpp"

#include <fmt/format.h>

#include <set>
#include <unordered_map>

#include "topology/import/named_switches.hpp"

namespace topology {

void hang_blocks(const std::vector<SlurmBlock>& blocks, std::string level, FoundCluster& to,
                 base::Diagnostics& problems) {
  std::set<std::string> names;
  std::unordered_map<std::string, std::string> block_of;
  for (const SlurmBlock& block : blocks) {
    if (!names.insert(block.name.text).second)
      problems.push_back(
          {block.name.where, fmt::format("the {} '{}' is given twice", level, block.name.text)});
    for (const base::PlacedText& node : block.nodes) {
      const auto [found, added] = block_of.insert({node.text, block.name.text});
      if (!added) {
        problems.push_back(
            {node.where, fmt::format("the node '{}' is in the {}s '{}' and '{}'", node.text, level,
                                     found->second, block.name.text)});
        continue;
      }
      FoundNode made;
      made.name = node.text;
      made.domains = {block.name.text};
      made.accelerator_domain = block.name.text;
      made.where = node.where;
      to.nodes.push_back(std::move(made));
    }
  }
  if (!blocks.empty())
    to.notes.push_back({blocks.front().name.where,
                        fmt::format("each {} is taken as a switch, and as an NVLink domain where "
                                    "the nodes have one beyond themselves",
                                    level),
                        "", base::Severity::note});
  to.levels.push_back(std::move(level));
  sort_nodes(to);
}

}  // namespace topology
