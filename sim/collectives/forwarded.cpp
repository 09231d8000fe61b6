#include "base/check.hpp"
#include "sim/collectives/layout.hpp"
#include "sim/collectives/table.hpp"

/// all_to_all with one message from each member to each other node: all that it has for that node
/// goes to the member there with the same place, who hands it on inside (as DeepSpeed-MoE and
/// DeepEP do it). In a smaller node places are counted around. Fewer, larger messages; the bytes
/// across are those of `direct`.
namespace sim::collectives {

bool forwarded_supports(base::Collective op) { return op == base::Collective::all_to_all; }

Expansion expand_forwarded(const Demand& demand, std::span<const Member> members) {
  CHECK_INVARIANT(forwarded_supports(demand.op));
  const int ranks = static_cast<int>(members.size());
  if (ranks < 2) return {};
  const Nodes nodes = nodes_of(members);
  Expansion out;
  for (const std::vector<int>& target : nodes) {
    Flows flows;  // to this node's members: no other node adds to them
    for (const std::vector<int>& source : nodes)
      for (std::size_t i = 0; i < source.size(); ++i)
        for (const int to : target) {
          const double bytes = sent(demand, ranks, source[i], to);
          if (&source == &target) {
            flows.add(source[i], to, bytes);
            continue;
          }
          const int helper = target[i % target.size()];
          flows.add(source[i], helper, bytes);
          flows.add(helper, to, bytes);
        }
    const std::vector<Flow> whole = flows.take();
    out.flows.insert(out.flows.end(), whole.begin(), whole.end());
  }
  out.rounds_inside = largest(nodes) > 1 ? 1 : 0;
  out.rounds_across = nodes.size() > 1 ? 1 : 0;
  return out;
}

}  // namespace sim::collectives
