#include "base/check.hpp"
#include "sim/collectives/layout.hpp"
#include "sim/collectives/table.hpp"

/// Pipelined rings. Of n members, the hop from x to y carries
///   all_reduce: 2 (n - 1) / n x bytes; all_gather: all but the block of y, which comes from there;
///   reduce_scatter: all but the block of x, which ends there; broadcast and reduce: all, on a
///   chain from or to the first member.
///
/// A group of several nodes with k members each uses k rings, one entering and leaving every node
/// by each of its NICs, as NCCL lays its channels. Each ring carries 1 / k of it; added up
///   from a node to the next one: all, spread evenly over the pairs (i-th member, i-th member);
///   inside a node: k - 1 of the k rings use the hop from a member to the next.
/// A member thus sends and receives what it would in a ring without nodes.
namespace sim::collectives {

namespace {

using base::Collective;

/// `hop(x, y)`: bytes from x to y, its neighbour in the ring.
template <class Hop>
void add_ring(const Nodes& nodes, Hop hop, Flows& flows) {
  const bool one_node = nodes.size() == 1;
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    const std::vector<int>& node = nodes[n];
    const std::size_t k = node.size();
    const double rings = one_node ? 1 : static_cast<double>(k - 1) / static_cast<double>(k);
    for (std::size_t i = 0; i < k; ++i) {
      const int next = node[(i + 1) % k];
      flows.add(node[i], next, hop(node[i], next) * rings);
    }
    if (one_node) continue;
    const std::vector<int>& onward = nodes[(n + 1) % nodes.size()];
    for_lanes(k, onward.size(), [&](std::size_t i, std::size_t j, double share) {
      flows.add(node[i], onward[j], hop(node[i], onward[j]) * share);
    });
  }
}

/// From the first member down a chain; a node that is not the first receives a share on each NIC
/// and completes it inside.
void add_chain(const Nodes& nodes, double bytes, Flows& flows) {
  const std::vector<int>& root = nodes.front();
  for (std::size_t i = 0; i + 1 < root.size(); ++i) flows.add(root[i], root[i + 1], bytes);
  for (std::size_t n = 1; n < nodes.size(); ++n) {
    const auto members = static_cast<double>(nodes[n].size());
    flows.between(nodes[n - 1], nodes[n], bytes);
    flows.around(nodes[n], bytes * (members - 1) / members);
  }
}

}  // namespace

bool ring_supports(Collective op) {
  return op == Collective::all_reduce || op == Collective::all_gather ||
         op == Collective::reduce_scatter || op == Collective::broadcast ||
         op == Collective::reduce;
}

Expansion expand_ring(const Demand& demand, std::span<const Member> members) {
  CHECK_INVARIANT(ring_supports(demand.op));
  const int ranks = static_cast<int>(members.size());
  if (ranks < 2) return {};
  const Nodes nodes = nodes_of(members);
  const double whole = demand.bytes.as_double();
  Flows flows;
  if (demand.op == Collective::broadcast || demand.op == Collective::reduce) {
    add_chain(nodes, whole, flows);
    if (demand.op == Collective::reduce) flows.reverse();
  } else if (demand.op == Collective::all_reduce) {
    const double wire = whole * base::bus_factor(demand.op, ranks);
    add_ring(
        nodes, [=](int, int) { return wire; }, flows);
  } else {
    const std::vector<double> blocks = blocks_of(demand, ranks);
    const bool gather = demand.op == Collective::all_gather;
    add_ring(
        nodes,
        [&](int from, int to) {
          return whole - blocks[static_cast<std::size_t>(gather ? to : from)];
        },
        flows);
  }
  const int times = demand.op == Collective::all_reduce ? 2 : 1;
  const int across = static_cast<int>(nodes.size()) - 1;
  return {flows.take(), times * (ranks - 1 - across), times * across};
}

}  // namespace sim::collectives
