#include "base/check.hpp"
#include "sim/collectives/double_tree.hpp"
#include "sim/collectives/table.hpp"

/// NVLink SHARP inside the nodes, as in nvls.cpp, and a double binary tree across them, of which
/// every member serves the shard that it owns.
namespace sim::collectives {

bool nvls_tree_supports(base::Collective op) { return op == base::Collective::all_reduce; }

Expansion expand_nvls_tree(const Demand& demand, std::span<const Member> members) {
  CHECK_INVARIANT(nvls_tree_supports(demand.op));
  if (members.size() < 2) return {};
  const Nodes nodes = nodes_of(members);
  const double bytes = demand.bytes.as_double();
  Flows flows;
  for (const std::vector<int>& node : nodes)
    flows.around(node, bytes * (1 + 1 / static_cast<double>(node.size())));
  add_double_tree(nodes, bytes, flows);
  return {flows.take(), largest(nodes) > 1 ? 2 : 0, 2 * tree_depth(static_cast<int>(nodes.size()))};
}

}  // namespace sim::collectives
