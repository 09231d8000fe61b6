#include <algorithm>

#include "base/check.hpp"
#include "sim/collectives/table.hpp"

/// Pipelined rings. With n members every hop carries W = bus_factor(op, n) x bytes.
///
/// A group of several nodes with k members each uses k rings, one entering and leaving every node
/// by each of its NICs, as NCCL lays its channels. Each ring carries W / k; added up over the rings
///   from a node to the next one: W, spread evenly over the pairs (i-th member, i-th member);
///   inside a node: k - 1 of the k rings use the hop from a member to the next: W (k - 1) / k.
/// A member thus sends W / k + W (k - 1) / k = W, as in a ring without nodes.
namespace sim::collectives {

namespace {

using base::Collective;

/// Positions of the members of each domain; domains in order of their first member.
std::vector<std::vector<int>> members_by_domain(std::span<const Member> all) {
  std::vector<int> domains;
  std::vector<std::vector<int>> members;
  for (int i = 0; i < static_cast<int>(all.size()); ++i) {
    const int domain = all[static_cast<std::size_t>(i)].domain;
    const auto found = std::find(domains.rbegin(), domains.rend(), domain);
    if (found == domains.rend()) {
      domains.push_back(domain);
      members.push_back({i});
    } else {
      members[static_cast<std::size_t>(domains.rend() - found - 1)].push_back(i);
    }
  }
  return members;
}

class Flows {
 public:
  void add(int from, int to, double bytes) {
    const base::Bytes whole = base::Bytes::from_double(bytes);
    if (from != to && whole.count() > 0) flows_.push_back({from, to, whole});
  }
  /// `bytes` from one node to the next, spread over as many lanes as the larger has members.
  void add_between(const std::vector<int>& from, const std::vector<int>& to, double bytes) {
    const std::size_t lanes = std::max(from.size(), to.size());
    for (std::size_t i = 0; i < lanes; ++i)
      add(from[i * from.size() / lanes], to[i * to.size() / lanes],
          bytes / static_cast<double>(lanes));
  }
  void reverse() {
    for (Flow& flow : flows_) std::swap(flow.from, flow.to);
  }
  std::vector<Flow> take() { return std::move(flows_); }

 private:
  std::vector<Flow> flows_;
};

/// Every member sends `wire` bytes to the next one and the last to the first.
void add_ring(const std::vector<std::vector<int>>& nodes, double wire, Flows& flows) {
  const bool one_node = nodes.size() == 1;
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    const std::vector<int>& node = nodes[n];
    const auto members = static_cast<double>(node.size());
    const double inside = one_node ? wire : wire * (members - 1) / members;
    for (std::size_t i = 0; i < node.size(); ++i)
      flows.add(node[i], node[(i + 1) % node.size()], inside);
    if (!one_node) flows.add_between(node, nodes[(n + 1) % nodes.size()], wire);
  }
}

/// From the first member down a chain; a node that is not the first receives a share on each NIC
/// and completes it inside.
void add_chain(const std::vector<std::vector<int>>& nodes, double bytes, Flows& flows) {
  const std::vector<int>& root = nodes.front();
  for (std::size_t i = 0; i + 1 < root.size(); ++i) flows.add(root[i], root[i + 1], bytes);
  for (std::size_t n = 1; n < nodes.size(); ++n) {
    const std::vector<int>& node = nodes[n];
    const auto members = static_cast<double>(node.size());
    flows.add_between(nodes[n - 1], node, bytes);
    for (std::size_t i = 0; i < node.size(); ++i)
      flows.add(node[i], node[(i + 1) % node.size()], bytes * (members - 1) / members);
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
  const auto nodes = members_by_domain(members);
  Flows flows;
  const double wire = demand.bytes.as_double() * base::bus_factor(demand.op, ranks);
  if (demand.op == Collective::broadcast || demand.op == Collective::reduce)
    add_chain(nodes, wire, flows);
  else
    add_ring(nodes, wire, flows);
  if (demand.op == Collective::reduce) flows.reverse();
  return {flows.take(), 0, 0};
}

}  // namespace sim::collectives
