#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>

#include "base/quoted.hpp"
#include "topology/export/tree.hpp"
#include "topology/export/writers.hpp"
#include "topology/hostlist.hpp"

namespace topology {

namespace {

/// Names stand in compact ranges here too, so they must fit a hostlist.
ExportRules topograph_rules(bool nodes_apart) {
  return {.name_max = 253,
          .letters = name_letters,
          .nodes_apart = nodes_apart,
          .keeps_accelerators = true};
}

using Accelerators = std::pair<std::string, std::string>;  // domain, part of it

}  // namespace

base::Result<Exported> write_topograph_model(const FoundCluster& cluster) {
  Exported out;
  const auto tree = export_tree(cluster, topograph_rules(true), out.notes);
  if (!tree) return tl::unexpected(tree.error());
  out.text = "switches:\n";
  for (const ExportSwitch& one : tree->switches) {
    out.text += fmt::format("  {}:\n    switches: [", base::quoted(one.name));
    for (std::size_t i = 0; i < one.switches.size(); ++i)
      out.text += (i > 0 ? ", " : "") + base::quoted(tree->switches[one.switches[i]].name);
    out.text += "]\n";
  }
  out.text += "blocks:\n";
  for (const ExportSwitch& one : tree->switches) {
    std::map<Accelerators, std::vector<std::string>> blocks;
    for (const std::size_t node : one.nodes) {
      const FoundNode& from = *tree->nodes[node];
      blocks[{from.accelerator_domain, from.accelerator_partition}].push_back(from.name);
    }
    for (const auto& [accelerators, names] : blocks) {
      out.text += fmt::format("  - switch: {}\n    nodes: [{}]\n", base::quoted(one.name),
                              base::quoted(compress_hostlist(names)));
      if (accelerators.first.empty()) continue;
      out.text += fmt::format("    annotations:\n      accelerator.topology.test/domain: {}\n",
                              base::quoted(accelerators.first));
      if (!accelerators.second.empty())
        out.text += fmt::format("      accelerator.topology.test/sub-domain: {}\n",
                                base::quoted(accelerators.second));
    }
  }
  return out;
}

base::Result<Exported> write_topograph_graph(const FoundCluster& cluster) {
  Exported out;
  const auto tree = export_tree(cluster, topograph_rules(false), out.notes);
  if (!tree) return tl::unexpected(tree.error());
  std::vector<std::vector<std::string>> layers(tree->nodes.size());
  for (const ExportSwitch& one : tree->switches)
    for (const std::size_t node : one.nodes)
      for (const ExportSwitch* at = &one;; at = &tree->switches[*at->parent]) {
        layers[node].push_back(base::quoted(at->name));
        if (!at->parent) break;
      }
  out.text = "{\"instances\":[";
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const FoundNode& node = *tree->nodes[i];
    out.text += fmt::format("{}\n{{\"id\":{},\"network_layers\":[{}]", i > 0 ? "," : "",
                            base::quoted(node.name), fmt::join(layers[i], ","));
    if (!node.accelerator_domain.empty()) {
      out.text += fmt::format(",\"labels\":{{\"accelerator.topograph.run/domain\":{}",
                              base::quoted(node.accelerator_domain));
      if (!node.accelerator_partition.empty())
        out.text += fmt::format(",\"accelerator.topograph.run/sub-domain\":{}",
                                base::quoted(node.accelerator_partition));
      out.text += "}";
    }
    out.text += "}";
  }
  out.text += "\n]}\n";
  return out;
}

}  // namespace topology
