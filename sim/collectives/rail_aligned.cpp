#include <map>

#include "base/check.hpp"
#include "sim/collectives/layout.hpp"
#include "sim/collectives/table.hpp"

/// all_to_all over rails (NCCL's PXN): what is for a member of another node goes over NVLink to the
/// member of the own node on the receiver's rail and from there on that rail, so that the network
/// never has to cross from rail to rail. Of several on that rail, the receiver's like is taken: the
/// q-th of those on the rail in its node is served by the q-th in ours. A sender on the rail sends
/// itself, and so does one that has nobody there.
namespace sim::collectives {

namespace {

using Rails = std::map<int, std::vector<int>>;

/// Members of a node by rail.
Rails rails_of(const std::vector<int>& node, std::span<const Member> members) {
  Rails rails;
  for (const int member : node)
    rails[members[static_cast<std::size_t>(member)].rail].push_back(member);
  return rails;
}

}  // namespace

bool rail_aligned_supports(base::Collective op) { return op == base::Collective::all_to_all; }

Expansion expand_rail_aligned(const Demand& demand, std::span<const Member> members) {
  CHECK_INVARIANT(rail_aligned_supports(demand.op));
  const int ranks = static_cast<int>(members.size());
  if (ranks < 2) return {};
  const Nodes nodes = nodes_of(members);
  std::vector<Rails> rails;
  rails.reserve(nodes.size());
  for (const std::vector<int>& node : nodes) rails.push_back(rails_of(node, members));
  Expansion out;
  bool relayed = nodes.size() == 1;
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    Flows flows;  // of this node's members: no other node adds to them
    for (const int from : nodes[n])
      for (const int to : nodes[n]) flows.add(from, to, sent(demand, ranks, from, to));
    for (std::size_t target = 0; target < nodes.size(); ++target) {
      if (target == n) continue;
      for (const auto& [rail, receivers] : rails[target]) {
        const auto own = rails[n].find(rail);
        for (std::size_t place = 0; place < receivers.size(); ++place)
          for (const int from : nodes[n]) {
            const int to = receivers[place];
            const double bytes = sent(demand, ranks, from, to);
            if (own == rails[n].end() || members[static_cast<std::size_t>(from)].rail == rail) {
              flows.add(from, to, bytes);
              continue;
            }
            const int helper = own->second[place % own->second.size()];
            flows.add(from, helper, bytes);
            flows.add(helper, to, bytes);
            relayed = true;
          }
      }
    }
    const std::vector<Flow> whole = flows.take();
    out.flows.insert(out.flows.end(), whole.begin(), whole.end());
  }
  out.rounds_inside = relayed ? 1 : 0;
  out.rounds_across = nodes.size() > 1 ? 1 : 0;
  return out;
}

}  // namespace sim::collectives
