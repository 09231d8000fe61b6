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

/// Members of a node on one rail.
std::vector<int> on_rail(const std::vector<int>& node, std::span<const Member> members, int rail) {
  std::vector<int> found;
  for (const int member : node)
    if (members[static_cast<std::size_t>(member)].rail == rail) found.push_back(member);
  return found;
}

/// For each member its place among those of its node on its rail.
std::vector<std::size_t> places_on_rails(const Nodes& nodes, std::span<const Member> members) {
  std::vector<std::size_t> places(members.size());
  for (const std::vector<int>& node : nodes)
    for (std::size_t i = 0; i < node.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (members[static_cast<std::size_t>(node[i])].rail ==
            members[static_cast<std::size_t>(node[j])].rail)
          ++places[static_cast<std::size_t>(node[i])];
  return places;
}

}  // namespace

bool rail_aligned_supports(base::Collective op) { return op == base::Collective::all_to_all; }

Expansion expand_rail_aligned(const Demand& demand, std::span<const Member> members) {
  CHECK_INVARIANT(rail_aligned_supports(demand.op));
  const int ranks = static_cast<int>(members.size());
  if (ranks < 2) return {};
  const Nodes nodes = nodes_of(members);
  const std::vector<std::size_t> places = places_on_rails(nodes, members);
  Expansion out;
  bool relayed = nodes.size() == 1;
  for (const std::vector<int>& node : nodes) {
    Flows flows;  // of this node's members: no other node adds to them
    for (int to = 0; to < ranks; ++to) {
      const Member& receiver = members[static_cast<std::size_t>(to)];
      const bool own = receiver.domain == members[static_cast<std::size_t>(node.front())].domain;
      const std::vector<int> helpers =
          own ? std::vector<int>{} : on_rail(node, members, receiver.rail);
      for (const int from : node) {
        const double bytes = sent(demand, ranks, from, to);
        if (helpers.empty() || members[static_cast<std::size_t>(from)].rail == receiver.rail) {
          flows.add(from, to, bytes);
          continue;
        }
        const int helper = helpers[places[static_cast<std::size_t>(to)] % helpers.size()];
        flows.add(from, helper, bytes);
        flows.add(helper, to, bytes);
        relayed = true;
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
