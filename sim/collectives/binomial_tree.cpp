#include "base/check.hpp"
#include "sim/collectives/layout.hpp"
#include "sim/collectives/table.hpp"

/// The binomial tree of MPI: the parent of a rank is the rank without its lowest set bit, so that
/// the subtree of r are the ranks from r to r plus that bit. broadcast sends the buffer to each
/// child, scatter the blocks of its subtree (Thakur et al. 2005); reduce and gather are their
/// mirrors. A round a bit.
namespace sim::collectives {

namespace {

using base::Collective;

}  // namespace

bool binomial_tree_supports(Collective op) {
  return op == Collective::broadcast || op == Collective::reduce || op == Collective::gather ||
         op == Collective::scatter;
}

Expansion expand_binomial_tree(const Demand& demand, std::span<const Member> members) {
  CHECK_INVARIANT(binomial_tree_supports(demand.op));
  const int ranks = static_cast<int>(members.size());
  Expansion out;
  if (ranks < 2) return out;
  const bool parts = demand.op == Collective::gather || demand.op == Collective::scatter;
  std::vector<double> before{0};  // bytes of the blocks before each rank
  if (parts)
    for (const double block : blocks_of(demand, ranks)) before.push_back(before.back() + block);
  Flows flows;
  for (int bit = 1; bit < ranks; bit *= 2) {
    bool across = false;
    for (int child = bit; child < ranks; child += 2 * bit) {
      const auto first = static_cast<std::size_t>(child);
      const auto end = static_cast<std::size_t>(std::min(ranks, child + bit));
      flows.add(child - bit, child, parts ? before[end] - before[first] : demand.bytes.as_double());
      across =
          across || members[first].domain != members[static_cast<std::size_t>(child - bit)].domain;
    }
    count_round(out, across);
  }
  if (demand.op == Collective::reduce || demand.op == Collective::gather) flows.reverse();
  out.flows = flows.take();
  return out;
}

}  // namespace sim::collectives
