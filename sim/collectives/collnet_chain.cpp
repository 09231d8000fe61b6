#include "base/check.hpp"
#include "sim/collectives/layout.hpp"
#include "sim/collectives/table.hpp"

/// NCCL's CollNet chain: inside a node chains as in a tree, every member head of one of k lanes;
/// the heads hand their sums to the network, which adds the nodes up. As in collnet_direct.cpp, the
/// next node stands for the switch.
namespace sim::collectives {

bool collnet_chain_supports(base::Collective op) { return op == base::Collective::all_reduce; }

Expansion expand_collnet_chain(const Demand& demand, std::span<const Member> members) {
  CHECK_INVARIANT(collnet_chain_supports(demand.op));
  if (members.size() < 2) return {};
  const Nodes nodes = nodes_of(members);
  const double bytes = demand.bytes.as_double();
  Flows flows;
  for (const std::vector<int>& node : nodes) {
    const auto k = static_cast<double>(node.size());
    flows.around(node, bytes * (k - 1) / k);
    flows.around_back(node, bytes * (k - 1) / k);
  }
  flows.around_nodes(nodes, bytes);
  return {flows.take(), 2 * (largest(nodes) - 1), nodes.size() > 1 ? 1 : 0};
}

}  // namespace sim::collectives
