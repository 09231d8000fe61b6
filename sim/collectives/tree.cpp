#include "base/check.hpp"
#include "sim/collectives/double_tree.hpp"
#include "sim/collectives/table.hpp"

/// NCCL's tree: a double binary tree over the nodes, a chain inside each. Every member of a node is
/// head of one lane, which carries 1 / k of the buffer over its NIC; the lane's chain goes from its
/// head through all members in order, so that a hop inside serves k - 1 of the k lanes.
///
/// all_reduce: up and down, every node bytes / 2 to and from its parent in each tree.
/// broadcast: the node of the root stands outside and feeds the roots of two trees over the others
/// (Sanders et al. 2009), half of the buffer each; inside it is a chain from the root. reduce is
/// its mirror.
namespace sim::collectives {

namespace {

using base::Collective;

double chain_share(const std::vector<int>& node) {
  const auto members = static_cast<double>(node.size());
  return (members - 1) / members;
}

Expansion expand_both_ways(const Nodes& nodes, double bytes) {
  Flows flows;
  for (const std::vector<int>& node : nodes) {
    flows.around(node, bytes * chain_share(node));
    flows.around_back(node, bytes * chain_share(node));
  }
  add_double_tree(nodes, bytes, flows);
  return {flows.take(), 2 * (largest(nodes) - 1), 2 * tree_depth(static_cast<int>(nodes.size()))};
}

Expansion expand_one_way(const Nodes& nodes, double bytes, bool down) {
  const std::vector<int>& root = nodes.front();
  const int others = static_cast<int>(nodes.size()) - 1;
  Flows flows;
  for (std::size_t i = 0; i + 1 < root.size(); ++i) flows.add(root[i], root[i + 1], bytes);
  for (int i = 0; i < others; ++i) {
    const std::vector<int>& node = nodes[static_cast<std::size_t>(i) + 1];
    flows.around(node, bytes * chain_share(node));
    for (const int tree : {0, 1}) {
      const int up = tree_parent(tree, i, others);
      flows.between(nodes[static_cast<std::size_t>(up) + 1], node, bytes / 2);
    }
  }
  if (!down) flows.reverse();
  Expansion out{flows.take(), static_cast<int>(root.size()) - 1, 0};
  if (others == 0) return out;
  out.rounds_inside += largest({nodes.begin() + 1, nodes.end()}) - 1;
  out.rounds_across = 1 + tree_depth(others);
  return out;
}

}  // namespace

bool tree_supports(Collective op) {
  return op == Collective::all_reduce || op == Collective::broadcast || op == Collective::reduce;
}

Expansion expand_tree(const Demand& demand, std::span<const Member> members) {
  CHECK_INVARIANT(tree_supports(demand.op));
  if (members.size() < 2) return {};
  const Nodes nodes = nodes_of(members);
  if (demand.op == Collective::all_reduce) return expand_both_ways(nodes, demand.bytes.as_double());
  return expand_one_way(nodes, demand.bytes.as_double(), demand.op == Collective::broadcast);
}

}  // namespace sim::collectives
