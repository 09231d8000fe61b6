#include <algorithm>

#include "calibrate/backends/host.hpp"
#include "calibrate/backends/registry.hpp"

/// Gloo over TCP, from host memory. all_reduce: the quickest of its ring, its halving and doubling,
/// and its bcube; all_gather: ring; reduce_scatter: halving; broadcast: binomial tree; reduce:
/// ring; gather, scatter, all_to_all: straight; barrier: dissemination.
namespace calibrate::backends {

namespace {

using base::BytesPerSecond;
using base::Seconds;

constexpr double spread = 0.5;

// Assumed: the kernel's TCP takes 25 us between hosts and 10 us on one (loopback), and copies each
// byte once at either end, with one core a process.
constexpr HostPath path{.inside_latency = Seconds::from_us(10),
                        .across_latency = Seconds::from_us(25),
                        .copy = BytesPerSecond::from_gbyte(10),
                        .copies_inside = 2,
                        .copies_across = 1,
                        .add = BytesPerSecond::from_gbyte(8),
                        .staging = Seconds::from_us(10)};

/// Rounds of groups whose sizes multiply up to n, each member sending to all others of its group:
/// halving and doubling without the detour for an n that is no power of two.
Way bcube(base::Bytes bytes, const Links& links) {
  Way way{CollectiveAlgorithm::recursive_doubling, {}, 2 * scattered(bytes, links)};
  const Seconds hop = links.nodes > 1 ? links.across_latency : links.inside_latency;
  int left = links.ranks;
  for (int group = 2; left > 1; ++group)
    for (; left % group == 0; left /= group) way.latency += 2 * (group - 1) * hop;
  return way;
}

Way way_of(Collective op, base::Bytes bytes, const Links& links) {
  switch (op) {
    case Collective::all_reduce:
      return std::min({ring(op, bytes, links), halving_doubling(bytes, links), bcube(bytes, links)},
                      [](const Way& a, const Way& b) { return a.time() < b.time(); });
    case Collective::all_gather:
    case Collective::reduce: return ring(op, bytes, links);
    case Collective::reduce_scatter:
    case Collective::barrier: return recursive_doubling(op, bytes, links);
    case Collective::broadcast: return binomial_tree(op, bytes, links);
    case Collective::all_to_all:
    case Collective::send_receive:
    case Collective::gather:
    case Collective::scatter: break;
  }
  return direct(op, bytes, links);
}

class Gloo : public CollectiveBackend {
 public:
  std::string_view name() const override { return "gloo"; }
  std::string description() const override {
    return "Gloo over TCP from host memory, 10 GB/s a process; uncalibrated";
  }
  bool calibrated() const override { return false; }
  bool supports(Collective) const override { return true; }
  CollectiveCost cost(Collective op, base::Bytes bytes, const GroupShape& shape) const override {
    if (shape.ranks == 1) return {};
    const Way way = way_of(op, bytes, host_links(shape, path));
    return as_cost(staged(way, op, bytes, shape, path), op, bytes, shape.ranks, spread);
  }
};

}  // namespace

Made make_gloo(const BackendOptions&) { return std::make_unique<Gloo>(); }

}  // namespace calibrate::backends
