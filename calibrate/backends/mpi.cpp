#include <algorithm>
#include <cstdint>
#include <limits>
#include <span>

#include "calibrate/backends/host.hpp"
#include "calibrate/backends/registry.hpp"

/// Open MPI from host memory, with the choices of its component "tuned" when nothing is configured
/// (coll_tuned_decision_fixed.c, up to 4.0): by size alone, not by what would be quickest.
namespace calibrate::backends {

namespace {

using base::Bytes;
using base::BytesPerSecond;
using base::Seconds;

constexpr double spread = 0.5;

// Assumed: RDMA between hosts adds 2 us to the NIC's own latency and copies nothing; on one host a
// kernel copy (CMA) moves each byte once.
constexpr HostPath path{.inside_latency = Seconds::from_us(1),
                        .across_latency = Seconds::from_us(2),
                        .copy = BytesPerSecond::from_gbyte(10),
                        .copies_inside = 1,
                        .copies_across = 0,
                        .add = BytesPerSecond::from_gbyte(8),
                        .staging = Seconds::from_us(10)};

/// The two halves of the buffer go down two halves of a binary tree, whose members then exchange
/// them: two levels of pipelined sends of S / 2 each and one exchange.
Way split_binary_tree(Bytes bytes, const Links& links) {
  Way way = binomial_tree(Collective::broadcast, Bytes(), links);
  const bool across = links.nodes > 1;
  way.latency += across ? links.across_latency : links.inside_latency;
  way.wire = 1.5 * Seconds::from_s(bytes.as_double() /
                                   (across ? links.nic_rate : links.inside_rate).byte());
  return way;
}

/// Neighbours exchange two blocks at a time: n / 2 rounds instead of n - 1.
Way neighbour_exchange(Bytes bytes, const Links& links) {
  Way way = ring(Collective::all_gather, bytes, links);
  way.latency = way.latency * (0.5 * links.ranks / (links.ranks - 1));
  return way;
}

/// Who works below `limit` bytes, by nccl-tests' count.
struct Choice {
  std::int64_t limit;
  Way (*way)(Bytes bytes, const Links& links);
};

constexpr std::int64_t no_limit = std::numeric_limits<std::int64_t>::max();

template <Collective op, Way (*form)(Collective, Bytes, const Links&)>
Way of(Bytes bytes, const Links& links) {
  return form(op, bytes, links);
}

constexpr Choice all_reduces[] = {{10000, of<Collective::all_reduce, recursive_doubling>},
                                  {no_limit, of<Collective::all_reduce, ring>}};
constexpr Choice even_all_gathers[] = {{50000, of<Collective::all_gather, recursive_doubling>},
                                       {no_limit, neighbour_exchange}};
constexpr Choice odd_all_gathers[] = {{50000, of<Collective::all_gather, recursive_doubling>},
                                      {no_limit, of<Collective::all_gather, ring>}};
constexpr Choice reduce_scatters[] = {{12288, of<Collective::reduce_scatter, recursive_doubling>},
                                      {no_limit, of<Collective::reduce_scatter, ring>}};
constexpr Choice broadcasts[] = {{2048, of<Collective::broadcast, binomial_tree>},
                                 {370728, split_binary_tree},
                                 {no_limit, of<Collective::broadcast, ring>}};
constexpr Choice reduces[] = {{2048, of<Collective::reduce, binomial_tree>},
                              {no_limit, of<Collective::reduce, ring>}};
constexpr Choice gathers[] = {{no_limit, of<Collective::gather, binomial_tree>}};
constexpr Choice scatters[] = {{no_limit, of<Collective::scatter, binomial_tree>}};
constexpr Choice all_to_alls[] = {{no_limit, of<Collective::all_to_all, direct>}};
constexpr Choice messages[] = {{no_limit, of<Collective::send_receive, direct>}};
constexpr Choice barriers[] = {{no_limit, of<Collective::barrier, recursive_doubling>}};

std::span<const Choice> choices(Collective op, int ranks) {
  switch (op) {
    case Collective::all_reduce: return all_reduces;
    case Collective::all_gather: return ranks % 2 == 0 ? even_all_gathers : odd_all_gathers;
    case Collective::reduce_scatter: return reduce_scatters;
    case Collective::broadcast: return broadcasts;
    case Collective::reduce: return reduces;
    case Collective::gather: return gathers;
    case Collective::scatter: return scatters;
    case Collective::all_to_all: return all_to_alls;
    case Collective::send_receive: return messages;
    case Collective::barrier: break;
  }
  return barriers;
}

class Mpi : public CollectiveBackend {
 public:
  std::string_view name() const override { return "mpi"; }
  std::string description() const override {
    return "Open MPI from host memory, 10 GB/s a process, its fixed decisions; uncalibrated";
  }
  bool calibrated() const override { return false; }
  bool supports(Collective) const override { return true; }

  CollectiveCost cost(Collective op, Bytes bytes, const GroupShape& shape) const override {
    if (shape.ranks == 1) return {};
    const Links links = host_links(shape, path);
    // A choice by size alone may get quicker as the size grows over a limit. A price may not, so
    // what the last size below took is the least for those above.
    Seconds least;
    for (const Choice& choice : choices(op, shape.ranks)) {
      const bool last = choice.limit == no_limit;
      const Bytes size = last ? bytes : std::min(bytes, Bytes::from_count(choice.limit - 1));
      Way way = staged(choice.way(size, links), op, size, shape, path);
      way.latency = std::max(way.latency, least - way.wire);
      if (bytes == size) return as_cost(way, op, bytes, shape.ranks, spread);
      least = way.time();
    }
    return {};
  }
};

}  // namespace

Made make_mpi(const BackendOptions&) { return std::make_unique<Mpi>(); }

}  // namespace calibrate::backends
