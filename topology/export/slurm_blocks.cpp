#include "topology/export/slurm_blocks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "topology/export/slurm_rules.hpp"

namespace topology {

namespace {

using base::Severity;
using Nodes = std::vector<std::string>;

std::size_t largest(const std::map<std::string, std::size_t>& sizes) {
  std::size_t most = 0;
  for (const auto& [name, size] : sizes) most = std::max(most, size);
  return most;
}

/// Blocks by NVLink domain; none when no node has one.
base::Result<SlurmBlocks> accelerator_blocks(const FoundCluster& cluster,
                                             base::Diagnostics& notes) {
  // As a cluster whose only switches are the domains, so that names are made unique in one way.
  FoundCluster domains;
  domains.sources = cluster.sources;
  std::map<std::string, std::size_t> domain_sizes;
  std::size_t without = 0;
  bool partitioned = false;
  for (const FoundNode& node : cluster.nodes) {
    if (node.accelerator_domain.empty()) {
      ++without;
      continue;
    }
    FoundNode made;
    made.name = node.name;
    made.where = node.where;
    made.accelerator_domain = node.accelerator_domain;
    made.domains = {node.accelerator_domain, node.accelerator_partition};
    partitioned = partitioned || !node.accelerator_partition.empty();
    ++domain_sizes[node.accelerator_domain];
    domains.nodes.push_back(std::move(made));
  }
  SlurmBlocks made;
  if (domains.nodes.empty()) return made;
  const auto tree = export_tree(domains, slurm_rules, notes);
  if (!tree) return tl::unexpected(tree.error());
  if (without > 0)
    notes.push_back({domains.nodes.front().where,
                     fmt::format("{} nodes without an NVLink domain are in no block", without), "",
                     Severity::warning});
  made.of_accelerators = true;
  std::map<std::string, std::size_t> sizes;
  for (const ExportSwitch& one : tree->switches)
    if (!one.nodes.empty()) {
      made.blocks.push_back({one.name, names_of(*tree, one.nodes)});
      sizes[one.name] = one.nodes.size();
    }
  if (!partitioned) return made;
  const std::size_t base = largest(sizes);
  made.sizes = {base};
  std::size_t whole = base;
  while (whole < largest(domain_sizes)) whole *= 2;
  if (whole > base) made.sizes.push_back(whole);
  return made;
}

/// D, 2 D, ... of the smallest block, up to as many blocks as there are.
std::vector<std::size_t> doubled_sizes(const std::vector<SlurmBlocks::Block>& blocks) {
  std::size_t smallest = blocks.front().nodes.size();
  for (const SlurmBlocks::Block& block : blocks) smallest = std::min(smallest, block.nodes.size());
  std::vector<std::size_t> sizes;
  for (std::size_t joined = 1; joined <= blocks.size(); joined *= 2)
    sizes.push_back(smallest * joined);
  return sizes;
}

}  // namespace

base::Result<SlurmBlocks> slurm_blocks(const FoundCluster& cluster, base::Diagnostics& notes) {
  auto made = accelerator_blocks(cluster, notes);
  if (!made) return made;
  if (made->blocks.empty()) {
    const auto tree = export_tree(cluster, slurm_rules, notes);
    if (!tree) return tl::unexpected(tree.error());
    for (const ExportSwitch& one : tree->switches)
      if (!one.nodes.empty()) made->blocks.push_back({one.name, names_of(*tree, one.nodes)});
    notes.push_back({tree->nodes.front()->where,
                     "no node has an NVLink domain: the blocks are the lowest switches", "",
                     Severity::note});
  }
  if (made->sizes.empty()) made->sizes = doubled_sizes(made->blocks);
  return made;
}

}  // namespace topology
