#pragma once

#include <algorithm>
#include <map>
#include <ostream>
#include <utility>
#include <vector>

#include "sim/collectives/collectives.hpp"

/// Small groups, and sums over flows.
namespace sim::collectives {

using base::Collective;

/// Nodes of these sizes, members in order, `members_a_rail` of them on each rail.
inline std::vector<Member> nodes_of_size(const std::vector<int>& sizes, int members_a_rail = 1) {
  std::vector<Member> members;
  for (std::size_t node = 0; node < sizes.size(); ++node)
    for (int i = 0; i < sizes[node]; ++i)
      members.push_back({static_cast<int>(node), i / members_a_rail});
  return members;
}

/// Members in an order of their own: domain of each; rails count up in each domain.
inline std::vector<Member> in_domains(const std::vector<int>& domains) {
  std::map<int, int> next;
  std::vector<Member> members;
  for (const int domain : domains) members.push_back({domain, next[domain]++});
  return members;
}

/// One to five nodes of one to eight members, uneven ones, shared rails, members out of order.
inline std::vector<std::vector<Member>> all_layouts() {
  std::vector<std::vector<Member>> layouts;
  for (int nodes = 1; nodes <= 5; ++nodes)
    for (int members = 1; members <= 8; ++members)
      layouts.push_back(nodes_of_size(std::vector<int>(static_cast<std::size_t>(nodes), members)));
  for (const std::vector<int>& sizes : std::vector<std::vector<int>>{
           {3, 1}, {1, 3}, {2, 3, 1}, {5, 2}, {1, 4, 4}, {8, 1, 1, 1}, {4, 6, 3, 2, 1}, {2, 8}})
    layouts.push_back(nodes_of_size(sizes));
  layouts.push_back(nodes_of_size({8, 8}, 2));
  layouts.push_back(nodes_of_size({4, 3, 4}, 2));
  layouts.push_back(in_domains({0, 1, 0, 1, 1, 7, 0}));
  return layouts;
}

inline Expansion expand(CollectiveAlgorithm id, Collective op, std::int64_t bytes,
                        const std::vector<Member>& members,
                        const std::vector<double>& shares = {}) {
  return algorithm(id).expand({op, base::Bytes::from_count(bytes), shares}, members);
}

/// For messages of failed tests.
inline std::ostream& operator<<(std::ostream& out, const Flow& flow) {
  return out << flow.from << "->" << flow.to << ": " << flow.bytes.count();
}

/// By sender, then receiver.
inline std::vector<Flow> sorted(std::vector<Flow> flows) {
  std::sort(flows.begin(), flows.end(), [](const Flow& a, const Flow& b) {
    return std::pair(a.from, a.to) < std::pair(b.from, b.to);
  });
  return flows;
}

/// Flows written by hand: {from, to, bytes}.
struct Hand {
  int from;
  int to;
  std::int64_t bytes;
};

inline std::vector<Flow> flows_of(const std::vector<Hand>& hands) {
  std::vector<Flow> flows;
  for (const Hand& hand : hands)
    flows.push_back({hand.from, hand.to, base::Bytes::from_count(hand.bytes)});
  return sorted(flows);
}

struct Sums {
  std::vector<double> sent;
  std::vector<double> received;
  double total = 0;
};

inline Sums sums_of(const std::vector<Flow>& flows, std::size_t ranks) {
  Sums sums{std::vector<double>(ranks), std::vector<double>(ranks), 0};
  for (const Flow& flow : flows) {
    sums.sent[static_cast<std::size_t>(flow.from)] += flow.bytes.as_double();
    sums.received[static_cast<std::size_t>(flow.to)] += flow.bytes.as_double();
    sums.total += flow.bytes.as_double();
  }
  return sums;
}

inline int node_count(const std::vector<Member>& members) {
  std::map<int, int> seen;
  for (const Member& member : members) ++seen[member.domain];
  return static_cast<int>(seen.size());
}

/// Shares that differ from each other, some of them nothing.
inline std::vector<double> uneven_shares(std::size_t count) {
  std::vector<double> shares;
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) {
    shares.push_back(static_cast<double>((i * 7 + 3) % 5));
    sum += shares.back();
  }
  for (double& share : shares) share /= sum;
  return shares;
}

}  // namespace sim::collectives
