#include "base/check.hpp"
#include "sim/collectives/layout.hpp"
#include "sim/collectives/table.hpp"

/// Recursive halving and doubling on a hypercube of p ranks, the largest power of two in n. The
/// first 2 (n - p) ranks stand there in pairs: the even one folds into the odd one before, which
/// unfolds after (Thakur, Rabenseifner, Gropp: Optimization of collective communication operations
/// in MPICH, 2005). With m the distance in the cube, each rank and its partner exchange
///   all_gather: doubling, the blocks of the m ranks around each; before, the even rank gives its
///     own block to the odd one, after, it gets all others;
///   reduce_scatter: halving, the mirror;
///   all_reduce: bytes / 2m, halving from near to far, and the same on the way back, doubling from
///     far to near (Rabenseifner: Optimization of collective reduction operations, 2004), so that
///     the nearest carry most; the even rank gives and gets the whole buffer.
/// barrier: dissemination (Hensgen, Finkel, Manber 1988), distances 1, 2, 4, ..., no bytes.
namespace sim::collectives {

namespace {

using base::Collective;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// The ranks that are left after folding.
struct Cube {
  int ranks = 1;  ///< a power of two
  int folded = 0;
  int rank_of(int corner) const { return corner < folded ? 2 * corner + 1 : corner + folded; }
};

Cube cube_of(int ranks) {
  Cube cube;
  while (cube.ranks * 2 <= ranks) cube.ranks *= 2;
  cube.folded = ranks - cube.ranks;
  return cube;
}

/// Sums of the blocks of corners before each one; a folded rank's block counts at its partner.
std::vector<double> sums_before(const Cube& cube, const std::vector<double>& blocks) {
  std::vector<double> before{0};
  for (int corner = 0; corner < cube.ranks; ++corner) {
    const int rank = cube.rank_of(corner);
    const double folded = corner < cube.folded ? blocks[at(rank - 1)] : 0;
    before.push_back(before.back() + folded + blocks[at(rank)]);
  }
  return before;
}

void add_doubling(const Cube& cube, const std::vector<double>& blocks, double whole, Flows& flows) {
  const std::vector<double> before = sums_before(cube, blocks);
  for (int distance = 1; distance < cube.ranks; distance *= 2)
    for (int corner = 0; corner < cube.ranks; ++corner) {
      const int first = corner / distance * distance;
      flows.add(cube.rank_of(corner), cube.rank_of(corner ^ distance),
                before[at(first + distance)] - before[at(first)]);
    }
  for (int corner = 0; corner < cube.folded; ++corner) {
    const int odd = cube.rank_of(corner);
    flows.add(odd - 1, odd, blocks[at(odd - 1)]);
    flows.add(odd, odd - 1, whole - blocks[at(odd - 1)]);
  }
}

void add_halving_and_doubling(const Cube& cube, double whole, Flows& flows) {
  for (int distance = 1; distance < cube.ranks; distance *= 2)
    for (int corner = 0; corner < cube.ranks; ++corner)
      flows.add(cube.rank_of(corner), cube.rank_of(corner ^ distance), whole / distance);
  for (int corner = 0; corner < cube.folded; ++corner) {
    const int odd = cube.rank_of(corner);
    flows.add(odd - 1, odd, whole);
    flows.add(odd, odd - 1, whole);
  }
}

void count_rounds(const Cube& cube, std::span<const Member> members, int times, Expansion& out) {
  const auto differ = [&](int a, int b) { return members[at(a)].domain != members[at(b)].domain; };
  for (int distance = 1; distance < cube.ranks; distance *= 2) {
    bool across = false;
    for (int corner = 0; corner < cube.ranks; ++corner)
      across = across || differ(cube.rank_of(corner), cube.rank_of(corner ^ distance));
    for (int i = 0; i < times; ++i) count_round(out, across);
  }
  if (cube.folded == 0) return;
  bool across = false;
  for (int corner = 0; corner < cube.folded; ++corner)
    across = across || differ(2 * corner, 2 * corner + 1);
  count_round(out, across);  // before
  count_round(out, across);  // after
}

}  // namespace

bool recursive_doubling_supports(Collective op) {
  return op == Collective::all_reduce || op == Collective::all_gather ||
         op == Collective::reduce_scatter || op == Collective::barrier;
}

Expansion expand_recursive_doubling(const Demand& demand, std::span<const Member> members) {
  CHECK_INVARIANT(recursive_doubling_supports(demand.op));
  const int ranks = static_cast<int>(members.size());
  Expansion out;
  if (demand.op == Collective::barrier) {
    for (int distance = 1; distance < ranks; distance *= 2)
      count_round(out, shift_crosses(members, distance));
    return out;
  }
  if (ranks < 2) return out;
  const Cube cube = cube_of(ranks);
  const double whole = demand.bytes.as_double();
  Flows flows;
  if (demand.op == Collective::all_reduce)
    add_halving_and_doubling(cube, whole, flows);
  else
    add_doubling(cube, blocks_of(demand, ranks), whole, flows);
  if (demand.op == Collective::reduce_scatter) flows.reverse();
  count_rounds(cube, members, demand.op == Collective::all_reduce ? 2 : 1, out);
  out.flows = flows.take();
  return out;
}

}  // namespace sim::collectives
