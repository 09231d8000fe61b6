#include <numeric>

#include "base/check.hpp"
#include "sim/collectives/layout.hpp"
#include "sim/collectives/table.hpp"

/// Parallel aggregated trees (NCCL 2.23; Jeaugey, PAT: a new algorithm for all-gather and
/// reduce-scatter operations at scale, 2025): the block of each rank goes down a binomial tree, the
/// blocks that use a hop in one message. It is the algorithm of Bruck et al. (1997) with the far
/// hops first, while messages are still small.
///
/// all_gather: in the round of distance d (the powers of two below n, falling) rank r passes what
/// it has, the blocks of r, r - 2d, r - 4d, ..., to r + d, those left out that come from n or more
/// away. Equal counts: floor((n - 1 - d) / 2d) + 1 blocks, n - 1 over all rounds, as in a ring.
/// reduce_scatter is its mirror.
namespace sim::collectives {

namespace {

using base::Collective;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Sums over `terms` blocks r, r - stride, r - 2 stride, ... around the end, for each r.
std::vector<double> strided_sums(const std::vector<double>& blocks, int stride, int terms) {
  const int ranks = static_cast<int>(blocks.size());
  const int step = stride % ranks;
  const int starts = std::gcd(step, ranks);
  std::vector<double> sums(blocks.size());
  for (int start = 0; start < starts; ++start) {
    double sum = 0;
    for (int i = 0, r = start; i < terms; ++i, r = (r + ranks - step) % ranks) sum += blocks[at(r)];
    int last = start;  // the block that leaves the sum next
    for (int i = 1; i < terms; ++i) last = (last + ranks - step) % ranks;
    int r = start;
    do {
      sums[at(r)] = sum;
      r = (r + step) % ranks;
      sum += blocks[at(r)] - blocks[at(last)];
      last = (last + step) % ranks;
    } while (r != start);
  }
  return sums;
}

}  // namespace

bool pat_supports(Collective op) { return base::one_way(op); }

Expansion expand_pat(const Demand& demand, std::span<const Member> members) {
  CHECK_INVARIANT(pat_supports(demand.op));
  const int ranks = static_cast<int>(members.size());
  Expansion out;
  if (ranks < 2) return out;
  const std::vector<double> blocks = blocks_of(demand, ranks);
  Flows flows;
  for (int distance = 1; distance < ranks; distance *= 2) {
    const int terms = (ranks - 1 - distance) / (2 * distance) + 1;
    const std::vector<double> sums = strided_sums(blocks, 2 * distance, terms);
    for (int r = 0; r < ranks; ++r) flows.add(r, (r + distance) % ranks, sums[at(r)]);
    count_round(out, shift_crosses(members, distance));
  }
  if (demand.op == Collective::reduce_scatter) flows.reverse();
  out.flows = flows.take();
  return out;
}

}  // namespace sim::collectives
