// Algorithms over ranks without regard to nodes, and the double binary tree: the messages of the
// textbook, one by one, against the flows of `expand`.

#include <functional>
#include <set>

#include "tests/sim/collectives_support.hpp"
#include "tests/sim/message_oracle.hpp"
#include "tests/support/catch.hpp"

namespace sim::collectives {
namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

std::int64_t sum(const std::vector<std::int64_t>& bytes) {
  std::int64_t total = 0;
  for (const std::int64_t one : bytes) total += one;
  return total;
}

std::vector<double> shares_of(const std::vector<std::int64_t>& blocks) {
  std::vector<double> shares;
  for (const std::int64_t block : blocks)
    shares.push_back(static_cast<double>(block) / static_cast<double>(sum(blocks)));
  return shares;
}

/// Blocks of all ranks, equal or not, each divisible by `parts`.
std::vector<std::int64_t> blocks(int ranks, int parts, bool equal) {
  std::vector<std::int64_t> bytes;
  for (int i = 0; i < ranks; ++i) bytes.push_back(parts * (equal ? 10 : (i * 7 + 3) % 5 * 6));
  return bytes;
}

void check_all_gathered(const MessageOracle& oracle, const std::function<int(int)>& owner) {
  for (int rank = 0; rank < oracle.ranks(); ++rank)
    for (int piece = 0; piece < oracle.pieces(); ++piece)
      REQUIRE(oracle.held(rank, piece) == 1U << owner(piece));
}

void check_scattered(const MessageOracle& oracle, const std::function<int(int)>& owner) {
  for (int piece = 0; piece < oracle.pieces(); ++piece)
    REQUIRE(oracle.held(owner(piece), piece) == oracle.everyone());
}

void check_all_reduced(const MessageOracle& oracle) {
  for (int rank = 0; rank < oracle.ranks(); ++rank)
    for (int piece = 0; piece < oracle.pieces(); ++piece)
      REQUIRE(oracle.held(rank, piece) == oracle.everyone());
}

// Rings -------------------------------------------------------------------------------------------

/// The rings of `nodes` nodes of `members`, as many as members; nodes must be a multiple of them.
/// Ring c enters node a at member c - a and goes through all of them, so it leaves at c - a - 1,
/// which is where it enters the next node: by the same rail.
std::vector<std::vector<int>> rings(int nodes, int members) {
  std::vector<std::vector<int>> made;
  for (int c = 0; c < (nodes == 1 ? 1 : members); ++c) {
    std::vector<int> ring;
    for (int a = 0; a < nodes; ++a)
      for (int i = 0; i < members; ++i)
        ring.push_back(a * members + (c - a + i + nodes * members) % members);
    made.push_back(ring);
  }
  return made;
}

/// Round s: the rank at position p passes on the block that came to it in the round before, first
/// its own (all-gather); or, so that each block ends at its owner, the one before its own.
void run_ring(MessageOracle& oracle, const std::vector<std::vector<int>>& orders, bool gather) {
  const int n = oracle.ranks();
  const int channels = static_cast<int>(orders.size());
  for (int s = 0; s + 1 < n; ++s) {
    std::vector<Message> round;
    for (int c = 0; c < channels; ++c)
      for (int p = 0; p < n; ++p) {
        const std::vector<int>& order = orders[at(c)];
        const int block = order[at((p - s - (gather ? 0 : 1) + 2 * n) % n)];
        round.push_back({order[at(p)], order[at((p + 1) % n)], block * channels + c});
      }
    if (gather)
      oracle.copy(round);
    else
      oracle.reduce(round);
  }
}

TEST_CASE("the ring's messages") {
  const auto [nodes, members] = GENERATE(table<int, int>(
      {{1, 2}, {1, 3}, {1, 7}, {1, 8}, {2, 1}, {5, 1}, {2, 2}, {4, 2}, {3, 3}, {4, 4}, {6, 2}}));
  const bool equal = GENERATE(true, false);
  const std::vector<std::vector<int>> orders = rings(nodes, members);
  const int n = nodes * members;
  const int channels = static_cast<int>(orders.size());
  const std::vector<std::int64_t> bytes = blocks(n, channels, equal);
  std::vector<std::int64_t> pieces;
  for (int piece = 0; piece < n * channels; ++piece)
    pieces.push_back(bytes[at(piece / channels)] / channels);
  const auto owner = [=](int piece) { return piece / channels; };
  const std::vector<Member> group = nodes_of_size(std::vector<int>(at(nodes), members));
  const std::vector<double> shares = equal ? std::vector<double>{} : shares_of(bytes);
  const auto flows = [&](Collective op) {
    return expand(CollectiveAlgorithm::ring, op, sum(bytes), group, shares).flows;
  };

  MessageOracle gather(n, pieces);
  for (int piece = 0; piece < gather.pieces(); ++piece) gather.give(owner(piece), piece);
  run_ring(gather, orders, true);
  check_all_gathered(gather, owner);
  CHECK(flows(Collective::all_gather) == gather.flows());

  MessageOracle scatter(n, pieces);
  scatter.give_all();
  run_ring(scatter, orders, false);
  check_scattered(scatter, owner);
  CHECK(flows(Collective::reduce_scatter) == scatter.flows());

  if (!equal) return;
  run_ring(scatter, orders, true);
  check_all_reduced(scatter);
  CHECK(flows(Collective::all_reduce) == scatter.flows());
}

// Recursive halving and doubling ------------------------------------------------------------------

struct Folded {
  int corners = 1;
  int folded = 0;
  explicit Folded(int ranks) {
    while (2 * corners <= ranks) corners *= 2;
    folded = ranks - corners;
  }
  int rank(int corner) const { return corner < folded ? 2 * corner + 1 : corner + folded; }
  int corner_of(int rank) const { return rank < 2 * folded ? rank / 2 : rank - folded; }
};

/// Everyone gives its partner all that it has.
void run_doubling(MessageOracle& oracle, const Folded& cube, int distance) {
  std::vector<Message> round;
  for (int corner = 0; corner < cube.corners; ++corner)
    for (int piece = 0; piece < oracle.pieces(); ++piece)
      if (oracle.held(cube.rank(corner), piece) != 0)
        round.push_back({cube.rank(corner), cube.rank(corner ^ distance), piece});
  oracle.copy(round);
}

/// Everyone gives its partner, of the pieces that it still sums up, those that belong to the
/// partner's half; `corner_of` says to which corner a piece belongs.
void run_halving(MessageOracle& oracle, const Folded& cube, int distance,
                 std::vector<std::set<int>>& mine, const std::function<int(int)>& corner_of) {
  std::vector<Message> round;
  for (int corner = 0; corner < cube.corners; ++corner)
    for (const int piece : mine[at(corner)])
      if ((corner_of(piece) & distance) != (corner & distance))
        round.push_back({cube.rank(corner), cube.rank(corner ^ distance), piece});
  oracle.reduce(round);
  for (int corner = 0; corner < cube.corners; ++corner)
    std::erase_if(mine[at(corner)],
                  [&](int piece) { return (corner_of(piece) & distance) != (corner & distance); });
}

std::vector<std::set<int>> everything(const Folded& cube, int pieces) {
  std::set<int> all;
  for (int piece = 0; piece < pieces; ++piece) all.insert(piece);
  return std::vector<std::set<int>>(at(cube.corners), all);
}

TEST_CASE("the messages of recursive doubling and halving, blocks of ranks") {
  const int n = GENERATE(range(2, 17));
  const bool equal = GENERATE(true, false);
  const std::vector<std::int64_t> bytes = blocks(n, 1, equal);
  const std::vector<double> shares = equal ? std::vector<double>{} : shares_of(bytes);
  const std::vector<Member> group = nodes_of_size({n});
  const Folded cube(n);
  const auto owner = [](int piece) { return piece; };

  MessageOracle gather(n, bytes);
  for (int rank = 0; rank < n; ++rank) gather.give(rank, rank);
  for (int even = 0; even < 2 * cube.folded; even += 2) gather.copy({{even, even + 1, even}});
  for (int distance = 1; distance < cube.corners; distance *= 2)
    run_doubling(gather, cube, distance);
  for (int even = 0; even < 2 * cube.folded; even += 2)
    for (int piece = 0; piece < n; ++piece)
      if (piece != even) gather.copy({{even + 1, even, piece}});
  check_all_gathered(gather, owner);
  CHECK(expand(CollectiveAlgorithm::recursive_doubling, Collective::all_gather, sum(bytes), group,
               shares)
            .flows == gather.flows());

  MessageOracle scatter(n, bytes);
  scatter.give_all();
  for (int even = 0; even < 2 * cube.folded; even += 2)
    for (int piece = 0; piece < n; ++piece)
      if (piece != even) scatter.reduce({{even, even + 1, piece}});
  std::vector<std::set<int>> mine = everything(cube, n);
  for (int distance = cube.corners / 2; distance >= 1; distance /= 2)
    run_halving(scatter, cube, distance, mine, [&](int piece) { return cube.corner_of(piece); });
  for (int even = 0; even < 2 * cube.folded; even += 2) scatter.reduce({{even + 1, even, even}});
  check_scattered(scatter, owner);
  CHECK(expand(CollectiveAlgorithm::recursive_doubling, Collective::reduce_scatter, sum(bytes),
               group, shares)
            .flows == scatter.flows());
}

TEST_CASE("the messages of Rabenseifner's all-reduce") {
  // Vector halving with distance doubling, then vector doubling with distance halving.
  const int n = GENERATE(range(2, 17));
  const Folded cube(n);
  MessageOracle oracle(n, std::vector<std::int64_t>(at(cube.corners), 12));
  oracle.give_all();
  for (int even = 0; even < 2 * cube.folded; even += 2)
    for (int piece = 0; piece < cube.corners; ++piece) oracle.reduce({{even, even + 1, piece}});
  std::vector<std::set<int>> mine = everything(cube, cube.corners);
  for (int distance = 1; distance < cube.corners; distance *= 2)
    run_halving(oracle, cube, distance, mine, [](int piece) { return piece; });
  for (int distance = cube.corners / 2; distance >= 1; distance /= 2) {
    std::vector<Message> round;
    for (int corner = 0; corner < cube.corners; ++corner)
      for (const int piece : mine[at(corner)])
        round.push_back({cube.rank(corner), cube.rank(corner ^ distance), piece});
    oracle.copy(round);
    const std::vector<std::set<int>> before = mine;
    for (int corner = 0; corner < cube.corners; ++corner)
      mine[at(corner)].insert(before[at(corner ^ distance)].begin(),
                              before[at(corner ^ distance)].end());
  }
  for (int even = 0; even < 2 * cube.folded; even += 2)
    for (int piece = 0; piece < cube.corners; ++piece) oracle.copy({{even + 1, even, piece}});
  check_all_reduced(oracle);
  CHECK(expand(CollectiveAlgorithm::recursive_doubling, Collective::all_reduce, 12 * cube.corners,
               nodes_of_size({n}))
            .flows == oracle.flows());
}

// Parallel aggregated trees -----------------------------------------------------------------------

TEST_CASE("the messages of parallel aggregated trees") {
  const int n = GENERATE(range(2, 17));
  const bool equal = GENERATE(true, false);
  const std::vector<std::int64_t> bytes = blocks(n, 1, equal);
  const std::vector<double> shares = equal ? std::vector<double>{} : shares_of(bytes);
  const auto owner = [](int piece) { return piece; };
  MessageOracle gather(n, bytes);
  for (int rank = 0; rank < n; ++rank) gather.give(rank, rank);
  int top = 1;
  while (top * 2 < n) top *= 2;
  std::vector<Message> messages;
  for (int distance = top; distance >= 1; distance /= 2) {
    std::vector<Message> round;
    for (int rank = 0; rank < n; ++rank)
      for (int piece = 0; piece < n; ++piece)
        if (gather.held(rank, piece) != 0 && (rank - piece + n) % n + distance < n)
          round.push_back({rank, (rank + distance) % n, piece});
    gather.copy(round);
    messages.insert(messages.end(), round.begin(), round.end());
  }
  check_all_gathered(gather, owner);
  CHECK(expand(CollectiveAlgorithm::pat, Collective::all_gather, sum(bytes), nodes_of_size({n}),
               shares)
            .flows == gather.flows());

  MessageOracle scatter(n, bytes);
  scatter.give_all();
  scatter.reduce_in_turn(mirrored(messages));
  check_scattered(scatter, owner);
  CHECK(expand(CollectiveAlgorithm::pat, Collective::reduce_scatter, sum(bytes), nodes_of_size({n}),
               shares)
            .flows == scatter.flows());
}

// Binomial trees ----------------------------------------------------------------------------------

TEST_CASE("the messages of the binomial tree") {
  const int n = GENERATE(range(2, 17));
  const bool equal = GENERATE(true, false);
  const std::vector<std::int64_t> bytes = blocks(n, 1, equal);
  const std::vector<double> shares = equal ? std::vector<double>{} : shares_of(bytes);
  const auto flows = [&](Collective op, const std::vector<double>& counts) {
    return expand(CollectiveAlgorithm::binomial_tree, op, sum(bytes), nodes_of_size({n}), counts)
        .flows;
  };
  int top = 1;
  while (top * 2 < n) top *= 2;

  // Who has the buffer gives it to the rank half of the rest further on.
  MessageOracle broadcast(n, {sum(bytes)});
  broadcast.give(0, 0);
  std::vector<Message> down;
  for (int mask = top; mask >= 1; mask /= 2)
    for (int rank = 0; rank + mask < n; rank += 2 * mask) down.push_back({rank, rank + mask, 0});
  broadcast.copy_in_turn(down);
  check_all_gathered(broadcast, [](int) { return 0; });
  CHECK(flows(Collective::broadcast, {}) == broadcast.flows());

  MessageOracle reduce(n, {sum(bytes)});
  reduce.give_all();
  reduce.reduce_in_turn(mirrored(down));
  check_scattered(reduce, [](int) { return 0; });
  CHECK(flows(Collective::reduce, {}) == reduce.flows());

  // The same with the blocks of those further on only.
  MessageOracle scatter(n, bytes);
  for (int piece = 0; piece < n; ++piece) scatter.give(0, piece);
  std::vector<Message> parts;
  for (int mask = top; mask >= 1; mask /= 2) {
    std::vector<Message> round;
    for (int rank = 0; rank + mask < n; rank += 2 * mask)
      for (int piece = rank + mask; piece < n; ++piece)
        if (scatter.held(rank, piece) != 0 && piece < rank + 2 * mask)
          round.push_back({rank, rank + mask, piece});
    scatter.copy(round);
    parts.insert(parts.end(), round.begin(), round.end());
  }
  for (int rank = 0; rank < n; ++rank) REQUIRE(scatter.held(rank, rank) != 0);
  CHECK(flows(Collective::scatter, shares) == scatter.flows());

  MessageOracle gather(n, bytes);
  for (int rank = 0; rank < n; ++rank) gather.give(rank, rank);
  gather.copy_in_turn(mirrored(parts));
  for (int piece = 0; piece < n; ++piece) REQUIRE(gather.held(0, piece) != 0);
  CHECK(flows(Collective::gather, shares) == gather.flows());
}

}  // namespace
}  // namespace sim::collectives
