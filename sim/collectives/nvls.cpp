#include "base/check.hpp"
#include "sim/collectives/layout.hpp"
#include "sim/collectives/table.hpp"

/// NVLink SHARP: the switch of a node adds what it reads from all members and writes to all at
/// once. Of k members each owns one shard of 1 / k; through its port go
///   reduce_scatter: out the buffer, which the switch reads; in its shard of the sum;
///   all_gather: out its shard; in the buffer, its own shard included, for the switch writes to
///   all; all_reduce: one after the other, so bytes x (1 + 1/k) out and in.
/// The next member stands for the switch. Since a flow is as large out as in and the switch
/// multiplies, reduce_scatter and all_gather count the busier direction on both sides.
///
/// Across nodes NCCL uses it only with a network that adds too (CollNet): all_reduce sends the
/// buffer up once and gets it once, see collnet_direct.cpp; all_gather gets the blocks of the other
/// nodes once, reduce_scatter gives them.
namespace sim::collectives {

namespace {

using base::Collective;

}  // namespace

bool nvls_supports(Collective op) {
  return op == Collective::all_reduce || op == Collective::all_gather ||
         op == Collective::reduce_scatter;
}

Expansion expand_nvls(const Demand& demand, std::span<const Member> members) {
  CHECK_INVARIANT(nvls_supports(demand.op));
  const int ranks = static_cast<int>(members.size());
  if (ranks < 2) return {};
  const Nodes nodes = nodes_of(members);
  const bool across = nodes.size() > 1;
  const double bytes = demand.bytes.as_double();
  const bool both = demand.op == Collective::all_reduce;
  Flows flows;
  for (const std::vector<int>& node : nodes)
    flows.around(node, both ? bytes * (1 + 1 / static_cast<double>(node.size())) : bytes);
  if (both) {
    flows.around_nodes(nodes, bytes);
  } else if (across) {
    const std::vector<double> blocks = blocks_of(demand, ranks);
    for (std::size_t n = 0; n < nodes.size(); ++n) {
      const std::vector<int>& from = nodes[n];
      const std::vector<int>& to = nodes[(n + 1) % nodes.size()];
      double lacking = bytes;
      for (const int member : demand.op == Collective::all_gather ? to : from)
        lacking -= blocks[static_cast<std::size_t>(member)];
      flows.between(from, to, lacking);
    }
  }
  const int times = both ? 2 : 1;
  return {flows.take(), largest(nodes) > 1 ? times : 0, across ? 1 : 0};
}

}  // namespace sim::collectives
