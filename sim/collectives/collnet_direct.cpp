#include "base/check.hpp"
#include "sim/collectives/layout.hpp"
#include "sim/collectives/table.hpp"

/// NCCL's CollNet direct: members of a node exchange shards straight with each other, every member
/// gets the sum of one shard of 1 / k over the node, hands it to the network, which adds the nodes
/// up, and sends the result to the others.
///
/// The network's switches do the adding (SHARP), so each node sends the buffer up once and gets it
/// once. A flow needs two ends; the next node stands for the switch: `bytes` from every node to the
/// next are `bytes` out of each node's NICs and `bytes` in, as with the switch.
namespace sim::collectives {

bool collnet_direct_supports(base::Collective op) { return op == base::Collective::all_reduce; }

Expansion expand_collnet_direct(const Demand& demand, std::span<const Member> members) {
  CHECK_INVARIANT(collnet_direct_supports(demand.op));
  if (members.size() < 2) return {};
  const Nodes nodes = nodes_of(members);
  const double bytes = demand.bytes.as_double();
  Flows flows;
  for (const std::vector<int>& node : nodes)
    for (const int from : node)
      for (const int to : node) flows.add(from, to, 2 * bytes / static_cast<double>(node.size()));
  flows.around_nodes(nodes, bytes);
  return {flows.take(), largest(nodes) > 1 ? 2 : 0, nodes.size() > 1 ? 1 : 0};
}

}  // namespace sim::collectives
