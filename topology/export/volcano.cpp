#include <fmt/format.h>

#include "base/quoted.hpp"
#include "topology/export/tree.hpp"
#include "topology/export/writers.hpp"

namespace topology {

namespace {

std::string member(std::string_view type, const std::string& name) {
  return fmt::format("    - type: {}\n      selector:\n        exactMatch:\n          name: {}\n",
                     type, base::quoted(name));
}

}  // namespace

base::Result<Exported> write_volcano(const FoundCluster& cluster) {
  Exported out;
  // Names of Kubernetes objects: lower case, at most 253 characters.
  const ExportRules rules{
      .name_max = 253, .letters = dns_letters, .lower_case = true, .nodes_apart = true};
  const auto tree = export_tree(cluster, rules, out.notes);
  if (!tree) return tl::unexpected(tree.error());
  for (const ExportSwitch& one : tree->switches) {
    out.text += fmt::format(
        "---\napiVersion: topology.volcano.sh/v1alpha1\nkind: HyperNode\nmetadata:\n  name: {}\n"
        "spec:\n  tier: {}\n  members:\n",
        base::quoted(one.name), one.height);
    for (const std::size_t child : one.switches)
      out.text += member("HyperNode", tree->switches[child].name);
    for (const std::size_t node : one.nodes) out.text += member("Node", tree->nodes[node]->name);
  }
  return out;
}

}  // namespace topology
