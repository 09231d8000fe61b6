// Algorithms that know of nodes: the messages of the textbook, one by one, against the flows of
// `expand`. The buffer is cut into as many lanes as the sizes of all nodes divide; of k members of
// a node, member i serves the i-th k-th of the lanes.

#include <functional>
#include <numeric>

#include "tests/sim/collectives_support.hpp"
#include "tests/sim/message_oracle.hpp"
#include "tests/support/catch.hpp"

namespace sim::collectives {
namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Nodes of some sizes, ranks in order.
struct Group {
  std::vector<int> sizes;
  std::vector<int> first{0};  ///< rank of each node, and the end
  int lanes = 1;

  explicit Group(std::vector<int> of) : sizes(std::move(of)) {
    for (const int size : sizes) {
      first.push_back(first.back() + size);
      lanes = std::lcm(lanes, size);
    }
  }
  int nodes() const { return static_cast<int>(sizes.size()); }
  int ranks() const { return first.back(); }
  int node_of(int rank) const {
    int node = 0;
    while (rank >= first[at(node + 1)]) ++node;
    return node;
  }
  int rank(int node, int place) const { return first[at(node)] + place % sizes[at(node)]; }
  int place(int node, int lane) const { return lane * sizes[at(node)] / lanes; }
  /// Who serves a lane in a node.
  int server(int node, int lane) const { return rank(node, place(node, lane)); }
  std::vector<Member> members() const { return nodes_of_size(sizes); }
};

const std::vector<std::vector<int>>& groups() {
  static const std::vector<std::vector<int>> all{
      {1},       {4},          {2, 2},          {4, 4},    {3, 1},       {1, 3},
      {2, 3},    {1, 1},       {1, 2, 1},       {2, 2, 2}, {1, 1, 1, 1}, {1, 1, 1, 1, 1},
      {3, 3, 3}, {2, 1, 2, 3}, {2, 2, 2, 2, 2}, {4, 2, 4}, {8, 8},       {2, 2, 2, 2, 2, 2, 2}};
  return all;
}

void check_everywhere(const MessageOracle& oracle, MessageOracle::Ranks data) {
  for (int rank = 0; rank < oracle.ranks(); ++rank)
    for (int piece = 0; piece < oracle.pieces(); ++piece) REQUIRE(oracle.held(rank, piece) == data);
}

// Trees and chains --------------------------------------------------------------------------------

/// parent of each node; -1 above all.
using Parents = std::vector<int>;

/// Sanders et al.: a complete binary tree numbered in order, its highest part first, what would lie
/// beyond the end left out. Ranks from base + 1 to base + 2 x bit - 1 hang below `parent`.
void grow(int parent, int base, int bit, Parents& parents) {
  if (bit == 0) return;
  const int node = base + bit;
  if (node >= static_cast<int>(parents.size())) {
    grow(parent, base, bit / 2, parents);
    return;
  }
  parents[at(node)] = parent;
  grow(node, base, bit / 2, parents);
  grow(node, node, bit / 2, parents);
}

Parents binary_tree(int count) {
  Parents parents(at(count), -1);
  int top = 1;
  while (top * 2 < count) top *= 2;
  grow(0, 0, top, parents);
  return parents;
}

/// The second tree: mirrored for an even count, shifted by one for an odd one.
Parents second_tree(int count) {
  const Parents first = binary_tree(count);
  Parents second(at(count), -1);
  for (int i = 0; i < count; ++i) {
    const auto other = [&](int node) {
      return count % 2 == 0 ? count - 1 - node : (node + 1) % count;
    };
    if (first[at(i)] >= 0) second[at(other(i))] = other(first[at(i)]);
  }
  return second;
}

TEST_CASE("the binary tree of 14 nodes is the one that NCCL draws") {
  // 0 - 8; 8 - 4 and 12; 4 - 2 and 6; 12 - 10 and 13; 2 - 1, 3; 6 - 5, 7; 10 - 9, 11.
  CHECK(binary_tree(14) == Parents{-1, 2, 4, 2, 8, 6, 4, 6, 0, 10, 12, 10, 8, 12});
}

TEST_CASE("who is inner in one tree is a leaf in the other") {
  // Only the root of an odd count, which has one child in its own tree, may have one in both.
  for (int count = 2; count <= 64; ++count) {
    std::vector<int> trees_with_children(at(count), 0);
    for (const Parents& parents : {binary_tree(count), second_tree(count)}) {
      std::vector<int> children(at(count), 0);
      for (const int up : parents)
        if (up >= 0) ++children[at(up)];
      for (int i = 0; i < count; ++i) {
        CHECK(children[at(i)] <= 2);
        trees_with_children[at(i)] += children[at(i)] > 0 ? 1 : 0;
      }
    }
    const auto twice = std::count(trees_with_children.begin(), trees_with_children.end(), 2);
    CHECK(twice <= (count % 2 == 0 ? 0 : 1));
  }
}

/// One lane from the top of a tree of nodes to all ranks: each head feeds the heads of its children
/// and a chain through its node. `root_chain`: the first node's chain begins at rank 0.
std::vector<Message> lane_down(const Group& group, const Parents& parents, int lane, int piece,
                               bool root_chain) {
  std::vector<Message> messages;
  const std::function<void(int)> visit = [&](int node) {
    const int head = root_chain && parents[at(node)] < 0 ? 0 : group.place(node, lane);
    for (int i = 0; i + 1 < group.sizes[at(node)]; ++i)
      messages.push_back({group.rank(node, head + i), group.rank(node, head + i + 1), piece});
    for (int child = 0; child < group.nodes(); ++child)
      if (parents[at(child)] == node) {
        messages.push_back({group.server(node, lane), group.server(child, lane), piece});
        visit(child);
      }
  };
  for (int node = 0; node < group.nodes(); ++node)
    if (parents[at(node)] < 0) visit(node);
  return messages;
}

TEST_CASE("the messages of the double binary tree") {
  const Group group(GENERATE(from_range(groups())));
  const std::vector<Parents> trees{binary_tree(group.nodes()), second_tree(group.nodes())};
  MessageOracle oracle(group.ranks(), std::vector<std::int64_t>(at(2 * group.lanes), 6));
  oracle.give_all();
  for (const int tree : {0, 1})
    for (int lane = 0; lane < group.lanes; ++lane) {
      const std::vector<Message> down =
          lane_down(group, trees[at(tree)], lane, 2 * lane + tree, false);
      oracle.reduce_in_turn(mirrored(down));
      oracle.copy_in_turn(down);
    }
  check_everywhere(oracle, oracle.everyone());
  CHECK(expand(CollectiveAlgorithm::tree, Collective::all_reduce, 12 * group.lanes, group.members())
            .flows == oracle.flows());
}

/// The tree of nodes of each half of a broadcast.
std::vector<Parents> broadcast_trees(CollectiveAlgorithm algorithm, int nodes) {
  Parents chain;
  Parents binomial{-1};
  for (int i = 0; i < nodes; ++i) chain.push_back(i - 1);
  for (int bit = 1; bit < nodes; bit *= 2)  // who has it tells one more each round
    for (int i = bit; i < std::min(2 * bit, nodes); ++i) {
      int lowest = 1;
      while (i % (2 * lowest) == 0) lowest *= 2;
      binomial.push_back(i - lowest);
    }
  if (algorithm == CollectiveAlgorithm::ring) return {chain, chain};
  if (algorithm == CollectiveAlgorithm::hierarchical) return {binomial, binomial};
  // The root feeds the roots of two trees over the others.
  std::vector<Parents> trees(2, Parents{-1});
  if (nodes == 1) return trees;
  for (const int up : binary_tree(nodes - 1)) trees[0].push_back(up + 1);
  for (const int up : second_tree(nodes - 1)) trees[1].push_back(up + 1);
  return trees;
}

TEST_CASE("the messages of broadcast and reduce over nodes") {
  const Group group(GENERATE(from_range(groups())));
  const auto algorithm = GENERATE(CollectiveAlgorithm::ring, CollectiveAlgorithm::tree,
                                  CollectiveAlgorithm::hierarchical);
  const std::vector<Parents> trees = broadcast_trees(algorithm, group.nodes());
  MessageOracle down(group.ranks(), std::vector<std::int64_t>(at(2 * group.lanes), 5));
  MessageOracle up = down;
  up.give_all();
  for (const int half : {0, 1})
    for (int lane = 0; lane < group.lanes; ++lane) {
      const int piece = 2 * lane + half;
      const std::vector<Message> messages = lane_down(group, trees[at(half)], lane, piece, true);
      down.give(0, piece);
      down.copy_in_turn(messages);
      up.reduce_in_turn(mirrored(messages));
      REQUIRE(up.held(0, piece) == up.everyone());
    }
  check_everywhere(down, 1);
  const std::int64_t bytes = 10 * group.lanes;
  CHECK(expand(algorithm, Collective::broadcast, bytes, group.members()).flows == down.flows());
  CHECK(expand(algorithm, Collective::reduce, bytes, group.members()).flows == up.flows());
}

// Hierarchical ------------------------------------------------------------------------------------

/// Pieces that belong to each position of a ring.
using Parts = std::vector<std::vector<int>>;

/// Round s: everyone passes on the part that came in the round before, first its own.
void ring_gather(MessageOracle& oracle, const std::vector<int>& order, const Parts& parts) {
  const int n = static_cast<int>(order.size());
  for (int s = 0; s + 1 < n; ++s) {
    std::vector<Message> round;
    for (int p = 0; p < n; ++p)
      for (const int piece : parts[at((p - s + n) % n)])
        round.push_back({order[at(p)], order[at((p + 1) % n)], piece});
    oracle.copy(round);
  }
}

/// The same, each part ending where it belongs.
void ring_scatter(MessageOracle& oracle, const std::vector<int>& order, const Parts& parts) {
  const int n = static_cast<int>(order.size());
  for (int s = 0; s + 1 < n; ++s) {
    std::vector<Message> round;
    for (int p = 0; p < n; ++p)
      for (const int piece : parts[at((p - s - 1 + n) % n)])
        round.push_back({order[at(p)], order[at((p + 1) % n)], piece});
    oracle.reduce(round);
  }
}

/// Pieces with the lane of each; the rings inside nodes pass what each member serves.
struct Hierarchy {
  const Group& group;
  std::vector<int> lane_of;

  using Ring = void (*)(MessageOracle&, const std::vector<int>&, const Parts&);
  void inside(MessageOracle& oracle, Ring ring) const {
    for (int node = 0; node < group.nodes(); ++node) {
      std::vector<int> order;
      Parts parts(at(group.sizes[at(node)]));
      for (int i = 0; i < group.sizes[at(node)]; ++i) order.push_back(group.rank(node, i));
      for (int piece = 0; piece < oracle.pieces(); ++piece)
        parts[at(group.place(node, lane_of[at(piece)]))].push_back(piece);
      ring(oracle, order, parts);
    }
  }
  /// `node_of`: the node to which a piece belongs.
  void across(MessageOracle& oracle, Ring ring, const std::function<int(int)>& node_of) const {
    for (int lane = 0; lane < group.lanes; ++lane) {
      std::vector<int> order;
      Parts parts(at(group.nodes()));
      for (int node = 0; node < group.nodes(); ++node) order.push_back(group.server(node, lane));
      for (int piece = 0; piece < oracle.pieces(); ++piece)
        if (lane_of[at(piece)] == lane) parts[at(node_of(piece))].push_back(piece);
      ring(oracle, order, parts);
    }
  }
};

TEST_CASE("the messages of the hierarchical all-reduce") {
  const Group group(GENERATE(from_range(groups())));
  const int nodes = group.nodes();
  Hierarchy hierarchy{group, {}};  // a piece a node in each lane
  for (int piece = 0; piece < group.lanes * nodes; ++piece)
    hierarchy.lane_of.push_back(piece / nodes);
  MessageOracle oracle(group.ranks(), std::vector<std::int64_t>(at(group.lanes * nodes), 3));
  const auto node_of = [&](int piece) { return piece % nodes; };
  oracle.give_all();
  hierarchy.inside(oracle, ring_scatter);
  hierarchy.across(oracle, ring_scatter, node_of);
  hierarchy.across(oracle, ring_gather, node_of);
  hierarchy.inside(oracle, ring_gather);
  check_everywhere(oracle, oracle.everyone());
  CHECK(expand(CollectiveAlgorithm::hierarchical, Collective::all_reduce, 3 * group.lanes * nodes,
               group.members())
            .flows == oracle.flows());
}

TEST_CASE("the messages of hierarchical all-gather and reduce-scatter") {
  const Group group(GENERATE(from_range(groups())));
  const bool equal = GENERATE(true, false);
  // A rank's block is cut into the lanes that it serves.
  Hierarchy hierarchy{group, {}};
  std::vector<int> owner;
  std::vector<std::int64_t> pieces;
  std::vector<double> shares(at(group.ranks()), 0);
  std::int64_t total = 0;
  for (int rank = 0; rank < group.ranks(); ++rank)
    for (int lane = 0; lane < group.lanes; ++lane) {
      const int node = group.node_of(rank);
      if (group.server(node, lane) != rank) continue;
      hierarchy.lane_of.push_back(lane);
      owner.push_back(rank);
      const std::int64_t block = equal ? 120 : 120 * ((rank * 7 + 3) % 5);
      pieces.push_back(block * group.sizes[at(node)] / group.lanes);
      REQUIRE(pieces.back() * group.lanes == block * group.sizes[at(node)]);
      shares[at(rank)] += static_cast<double>(pieces.back());
      total += pieces.back();
    }
  for (double& share : shares) share /= static_cast<double>(total);
  const auto node_of = [&](int piece) { return group.node_of(owner[at(piece)]); };
  const auto flows = [&](Collective op) {
    return expand(CollectiveAlgorithm::hierarchical, op, total, group.members(),
                  equal ? std::vector<double>{} : shares)
        .flows;
  };

  MessageOracle gather(group.ranks(), pieces);
  for (int piece = 0; piece < gather.pieces(); ++piece) gather.give(owner[at(piece)], piece);
  hierarchy.across(gather, ring_gather, node_of);
  hierarchy.inside(gather, ring_gather);
  for (int rank = 0; rank < group.ranks(); ++rank)
    for (int piece = 0; piece < gather.pieces(); ++piece)
      REQUIRE(gather.held(rank, piece) == 1U << owner[at(piece)]);
  CHECK(flows(Collective::all_gather) == gather.flows());

  MessageOracle scatter(group.ranks(), pieces);
  scatter.give_all();
  hierarchy.inside(scatter, ring_scatter);
  hierarchy.across(scatter, ring_scatter, node_of);
  for (int piece = 0; piece < scatter.pieces(); ++piece)
    REQUIRE(scatter.held(owner[at(piece)], piece) == scatter.everyone());
  CHECK(flows(Collective::reduce_scatter) == scatter.flows());
}

// All to all --------------------------------------------------------------------------------------

/// The member through whose hands goes what `from` has for `to`; the receiver itself if straight.
int helper_of(CollectiveAlgorithm algorithm, const std::vector<Member>& members, int from, int to) {
  const Member& receiver = members[at(to)];
  const Member& sender = members[at(from)];
  if (algorithm == CollectiveAlgorithm::direct || sender.domain == receiver.domain) return to;
  const auto those = [&](int domain, int rail) {  // rail -1: any
    std::vector<int> found;
    for (int i = 0; i < static_cast<int>(members.size()); ++i)
      if (members[at(i)].domain == domain && (rail < 0 || members[at(i)].rail == rail))
        found.push_back(i);
    return found;
  };
  const auto place = [](const std::vector<int>& in, int member) {
    return at(static_cast<int>(std::find(in.begin(), in.end(), member) - in.begin()));
  };
  if (algorithm == CollectiveAlgorithm::forwarded) {
    const std::vector<int> there = those(receiver.domain, -1);
    return there[place(those(sender.domain, -1), from) % there.size()];
  }
  const std::vector<int> here = those(sender.domain, receiver.rail);
  if (here.empty() || sender.rail == receiver.rail) return to;
  return here[place(those(receiver.domain, receiver.rail), to) % here.size()];
}

TEST_CASE("the messages of all-to-alls") {
  const auto algorithm = GENERATE(CollectiveAlgorithm::direct, CollectiveAlgorithm::rail_aligned,
                                  CollectiveAlgorithm::forwarded);
  const bool equal = GENERATE(true, false);
  std::vector<std::vector<Member>> layouts;
  for (const std::vector<int>& sizes : groups()) {
    layouts.push_back(nodes_of_size(sizes));
    layouts.push_back(nodes_of_size(sizes, 2));
  }
  layouts.push_back(in_domains({0, 1, 0, 1, 1, 7, 0}));
  for (const std::vector<Member>& members : layouts) {
    const int n = static_cast<int>(members.size());
    std::vector<std::int64_t> pieces;  // from x to
    std::int64_t total = 0;
    for (int pair = 0; pair < n * n; ++pair) {
      pieces.push_back(equal ? 9 : (pair * 7 + 3) % 5 * n);
      total += pieces.back();
    }
    std::vector<double> shares;
    if (!equal)
      for (const std::int64_t piece : pieces)
        shares.push_back(static_cast<double>(piece) / static_cast<double>(total));
    REQUIRE(total % n == 0);
    MessageOracle oracle(n, pieces);
    for (int pair = 0; pair < n * n; ++pair) oracle.give(pair / n, pair);
    for (int pair = 0; pair < n * n; ++pair) {
      const int from = pair / n;
      const int to = pair % n;
      const int helper = helper_of(algorithm, members, from, to);
      if (helper != from) oracle.copy({{from, helper, pair}});
      if (helper != to) oracle.copy({{helper, to, pair}});
      REQUIRE(oracle.held(to, pair) == 1U << from);
    }
    CHECK(sorted(expand(algorithm, Collective::all_to_all, total / n, members, shares).flows) ==
          oracle.flows());
  }
}

}  // namespace
}  // namespace sim::collectives
