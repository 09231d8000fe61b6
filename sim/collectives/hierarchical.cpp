#include <map>

#include "base/check.hpp"
#include "sim/collectives/layout.hpp"
#include "sim/collectives/table.hpp"

/// First in the nodes, then across them by rail. Member i of k serves the i-th of k equal parts:
///   all_reduce: reduce-scatter in the node (a ring), all-reduce among those who serve the same
///     part (a ring over the nodes), all-gather in the node;
///   all_gather: the blocks go around the nodes, each on the rail of its owner, and inside the ring
///     of a node each member passes on what it got; reduce_scatter is its mirror, with both rings
///     in the same direction;
///   broadcast: a chain in the root's node, a binomial tree over the nodes for each part, an
///     all-gather in each other node; reduce is its mirror;
///   barrier: a binomial tree up in the node, dissemination among the nodes, a tree down.
/// Nodes of unequal size meet in lanes where their parts overlap (see `for_lanes`): the block of
/// the i-th of k members counts as lying evenly in [i/k, (i+1)/k) of the lanes.
namespace sim::collectives {

namespace {

using base::Collective;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// The value at part `i` of `parts` of sums that are known at the members of a node.
double sum_at(const std::vector<double>& sums, std::size_t i, std::size_t parts) {
  const std::size_t members = sums.size() - 1;
  const std::size_t whole = i * members / parts;
  const std::size_t rest = i * members % parts;
  if (rest == 0) return sums[whole];
  return sums[whole] +
         (sums[whole + 1] - sums[whole]) * static_cast<double>(rest) / static_cast<double>(parts);
}

/// What lies before a point of the lanes, of one node's blocks and of all.
class Parts {
 public:
  Parts(const Nodes& nodes, const std::vector<double>& blocks) {
    for (const std::vector<int>& node : nodes) {
      std::vector<double> sums{0};
      for (const int member : node) sums.push_back(sums.back() + blocks[at(member)]);
      of_node_.push_back(std::move(sums));
    }
    for (const std::vector<int>& node : nodes) {
      const auto [entry, fresh] = of_all_.try_emplace(node.size());
      if (!fresh) continue;
      entry->second.resize(node.size() + 1, 0);
      for (const std::vector<double>& sums : of_node_)
        for (std::size_t i = 0; i <= node.size(); ++i)
          entry->second[i] += sum_at(sums, i, node.size());
    }
  }
  /// Bytes before point i of `parts` of all blocks but those of `node`.
  double of_others(std::size_t node, std::size_t i, std::size_t parts) const {
    return of_all_.at(parts)[i] - sum_at(of_node_[node], i, parts);
  }
  /// Bytes that member i of a node of `parts` serves.
  double served(std::size_t i, std::size_t parts) const {
    const std::vector<double>& all = of_all_.at(parts);
    return all[i + 1] - all[i];
  }

 private:
  std::vector<std::vector<double>> of_node_;
  std::map<std::size_t, std::vector<double>> of_all_;  // by size of node
};

/// all_gather: a hop carries all but what the receiver has made (inside: what it serves, across:
/// the blocks of its node); reduce_scatter: all but what stays with the sender.
void add_blocks(const Nodes& nodes, const Parts& parts, double whole, bool gather, Flows& flows) {
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    const std::vector<int>& node = nodes[n];
    const std::size_t k = node.size();
    for (std::size_t i = 0; i < k; ++i) {
      const std::size_t next = (i + 1) % k;
      flows.add(node[i], node[next], whole - parts.served(gather ? next : i, k));
    }
    if (nodes.size() == 1) continue;
    const std::size_t onward = (n + 1) % nodes.size();
    const std::vector<int>& to = nodes[onward];
    const std::size_t left_out = gather ? onward : n;
    for_lanes(k, to.size(), [&](std::size_t i, std::size_t j, double) {
      const double begin =
          std::max(parts.of_others(left_out, i, k), parts.of_others(left_out, j, to.size()));
      const double end = std::min(parts.of_others(left_out, i + 1, k),
                                  parts.of_others(left_out, j + 1, to.size()));
      flows.add(node[i], to[j], end - begin);
    });
  }
}

void add_all_reduce(const Nodes& nodes, double whole, Flows& flows) {
  const int count = static_cast<int>(nodes.size());
  for (const std::vector<int>& node : nodes)
    flows.around(node,
                 whole * base::bus_factor(Collective::all_reduce, static_cast<int>(node.size())));
  flows.around_nodes(nodes, whole * base::bus_factor(Collective::all_reduce, count));
}

void add_broadcast(const Nodes& nodes, double whole, Flows& flows) {
  const std::vector<int>& root = nodes.front();
  for (std::size_t i = 0; i + 1 < root.size(); ++i) flows.add(root[i], root[i + 1], whole);
  for (std::size_t n = 1; n < nodes.size(); ++n) {
    flows.between(nodes[n & (n - 1)], nodes[n], whole);
    const auto k = static_cast<double>(nodes[n].size());
    flows.around(nodes[n], whole * (k - 1) / k);
  }
}

}  // namespace

bool hierarchical_supports(Collective op) {
  return op == Collective::all_reduce || op == Collective::all_gather ||
         op == Collective::reduce_scatter || op == Collective::broadcast ||
         op == Collective::reduce || op == Collective::barrier;
}

Expansion expand_hierarchical(const Demand& demand, std::span<const Member> members) {
  CHECK_INVARIANT(hierarchical_supports(demand.op));
  const int ranks = static_cast<int>(members.size());
  if (ranks < 2) return {};
  const Nodes nodes = nodes_of(members);
  const int across = static_cast<int>(nodes.size());
  const int inside = largest(nodes);
  if (demand.op == Collective::barrier) return {{}, 2 * doublings(inside), doublings(across)};
  const double whole = demand.bytes.as_double();
  Flows flows;
  if (demand.op == Collective::all_reduce) {
    add_all_reduce(nodes, whole, flows);
    return {flows.take(), 2 * (inside - 1), 2 * (across - 1)};
  }
  if (base::one_way(demand.op)) {
    const Parts parts(nodes, blocks_of(demand, ranks));
    add_blocks(nodes, parts, whole, demand.op == Collective::all_gather, flows);
    return {flows.take(), inside - 1, across - 1};
  }
  add_broadcast(nodes, whole, flows);
  if (demand.op == Collective::reduce) flows.reverse();
  const int others = across > 1 ? largest({nodes.begin() + 1, nodes.end()}) - 1 : 0;
  return {flows.take(), static_cast<int>(nodes.front().size()) - 1 + others, doublings(across)};
}

}  // namespace sim::collectives
