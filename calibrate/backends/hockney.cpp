#include "calibrate/backends/hockney.hpp"

#include <algorithm>
#include <bit>

#include "base/check.hpp"

namespace calibrate::backends {

namespace {

using base::Bytes;
using base::BytesPerSecond;
using base::Seconds;

bool power_of_two(int count) { return std::has_single_bit(static_cast<unsigned>(count)); }

Seconds wire(double bytes, BytesPerSecond rate) { return Seconds::from_s(bytes / rate.byte()); }

double others(int count) { return static_cast<double>(count - 1) / count; }

/// Two for all_reduce, which scatters and gathers; one for either half.
int phases(Collective op) { return op == Collective::all_reduce ? 2 : 1; }

Seconds doubling_latency(const Links& links) {
  return doubling_rounds(links.ranks_per_node) * links.inside_latency +
         doubling_rounds(links.nodes) * links.across_latency;
}

/// A message between ranks that are as far apart as the group is wide.
Seconds far_latency(const Links& links) {
  return links.nodes > 1 ? links.across_latency : links.inside_latency;
}

BytesPerSecond far_rate(const Links& links) {
  return links.nodes > 1 ? links.nic_rate : links.inside_rate;
}

/// A ring enters and leaves every node once for each of its NICs.
BytesPerSecond ring_rate(const Links& links) {
  if (links.ranks_per_node == 1) return links.node_rate;
  return links.nodes == 1 ? links.inside_rate : std::min(links.inside_rate, links.node_rate);
}

}  // namespace

Links links_of(const GroupShape& shape) {
  Links links;
  links.ranks = shape.ranks;
  links.nodes = shape.nodes;
  links.ranks_per_node = shape.ranks_per_node;
  links.inside_latency = shape.scale_up_latency;
  links.inside_rate = shape.scale_up_rate;
  links.across_latency = shape.network_latency;
  links.node_rate = shape.network_rate;
  links.nic_rate = shape.network_rate / std::max(1, shape.nics);
  return links;
}

int doubling_rounds(int count) {
  return static_cast<int>(std::bit_width(static_cast<unsigned>(count - 1)));
}

Seconds scattered(Bytes bytes, const Links& links) {
  Seconds time;
  const double size = bytes.as_double();
  if (links.ranks_per_node > 1)
    time += wire(size * others(links.ranks_per_node), links.inside_rate);
  if (links.nodes > 1) time += wire(size * others(links.nodes), links.node_rate);
  return time;
}

Way ring(Collective op, Bytes bytes, const Links& links) {
  const double factor = base::bus_factor(op, links.ranks);
  return {CollectiveAlgorithm::ring, phases(op) * (links.ranks - 1) * far_latency(links),
          wire(bytes.as_double() * factor, ring_rate(links))};
}

Way recursive_doubling(Collective op, Bytes bytes, const Links& links) {
  Way way{CollectiveAlgorithm::recursive_doubling, doubling_latency(links), {}};
  if (op == Collective::barrier) return way;
  if (op != Collective::all_reduce) {
    way.wire = scattered(bytes, links);
    return way;
  }
  const double size = bytes.as_double();
  const int inside = doubling_rounds(links.ranks_per_node);
  const int across = doubling_rounds(links.nodes);
  if (inside > 0) way.wire += inside * wire(size, links.inside_rate);
  if (across > 0) way.wire += across * wire(size * links.ranks_per_node, links.node_rate);
  if (!power_of_two(links.ranks)) {
    way.latency += far_latency(links);
    way.wire += wire(size, far_rate(links));
  }
  return way;
}

Way halving_doubling(Bytes bytes, const Links& links) {
  Way way{CollectiveAlgorithm::recursive_doubling, 2 * doubling_latency(links),
          2 * scattered(bytes, links)};
  if (!power_of_two(links.ranks)) {
    way.latency += 2 * far_latency(links);
    way.wire += 2 * wire(bytes.as_double(), far_rate(links));
  }
  return way;
}

Way binomial_tree(Collective op, Bytes bytes, const Links& links) {
  Way way{CollectiveAlgorithm::binomial_tree, doubling_latency(links), {}};
  const double size = bytes.as_double();
  const int inside = doubling_rounds(links.ranks_per_node);
  const int across = doubling_rounds(links.nodes);
  if (op == Collective::gather || op == Collective::scatter) {
    // What the root's own NIC and links pass on: the shares of other nodes, then of its node.
    const double outside = others(links.nodes);
    if (across > 0) way.wire += wire(size * outside, links.nic_rate);
    if (inside > 0) way.wire += wire(size * (others(links.ranks) - outside), links.inside_rate);
    return way;
  }
  if (across > 0) way.wire += across * wire(size, links.nic_rate);
  if (inside > 0) way.wire += inside * wire(size, links.inside_rate);
  return way;
}

Way hierarchical(Collective op, Bytes bytes, const Links& links) {
  CHECK_INVARIANT(links.nodes > 1 && links.ranks_per_node > 1);
  return {CollectiveAlgorithm::hierarchical,
          phases(op) * ((links.ranks_per_node - 1) * links.inside_latency +
                        (links.nodes - 1) * links.across_latency),
          phases(op) * scattered(bytes, links)};
}

Way direct(Collective op, Bytes bytes, const Links& links) {
  Way way{CollectiveAlgorithm::direct, far_latency(links), {}};
  const double size = bytes.as_double();
  if (op == Collective::send_receive) {
    way.wire = wire(size, far_rate(links));
    return way;
  }
  way.latency = (links.ranks - 1) * far_latency(links);
  const double share = size / links.ranks;
  const int away = links.ranks - links.ranks_per_node;
  const bool rooted = op == Collective::gather || op == Collective::scatter;
  if (links.ranks_per_node > 1)
    way.wire += wire(share * (links.ranks_per_node - 1), links.inside_rate);
  if (links.nodes > 1 && rooted) way.wire += wire(share * away, links.nic_rate);
  if (links.nodes > 1 && !rooted)
    way.wire += wire(share * away * links.ranks_per_node, links.node_rate);
  return way;
}

Way quickest(Collective op, Bytes bytes, const Links& links) {
  const auto better = [](const Way& a, const Way& b) { return b.time() < a.time() ? b : a; };
  switch (op) {
    case Collective::all_to_all:
    case Collective::send_receive: return direct(op, bytes, links);
    case Collective::barrier: return recursive_doubling(op, bytes, links);
    case Collective::gather:
    case Collective::scatter:
      return better(direct(op, bytes, links), binomial_tree(op, bytes, links));
    case Collective::broadcast:
    case Collective::reduce: return better(ring(op, bytes, links), binomial_tree(op, bytes, links));
    case Collective::all_reduce:
    case Collective::all_gather:
    case Collective::reduce_scatter: break;
  }
  Way best = better(ring(op, bytes, links), recursive_doubling(op, bytes, links));
  if (op == Collective::all_reduce) best = better(best, halving_doubling(bytes, links));
  if (links.nodes > 1 && links.ranks_per_node > 1)
    best = better(best, hierarchical(op, bytes, links));
  return best;
}

CollectiveAlgorithm plain_algorithm(Collective op) {
  switch (op) {
    case Collective::all_to_all:
    case Collective::send_receive:
    case Collective::gather:
    case Collective::scatter: return CollectiveAlgorithm::direct;
    case Collective::barrier: return CollectiveAlgorithm::recursive_doubling;
    case Collective::all_reduce:
    case Collective::all_gather:
    case Collective::reduce_scatter:
    case Collective::broadcast:
    case Collective::reduce: break;
  }
  return CollectiveAlgorithm::ring;
}

CollectiveCost as_cost(const Way& way, Collective op, Bytes bytes, int ranks, double spread) {
  CollectiveCost cost;
  cost.latency = way.latency;
  const double on_wire = bytes.as_double() * base::bus_factor(op, ranks);
  if (way.wire > Seconds()) cost.bus_rate = BytesPerSecond::from_byte(on_wire / way.wire.s());
  cost.total = {way.time(), spread, Evidence::model, 0};
  cost.algorithm = way.algorithm;
  return cost;
}

}  // namespace calibrate::backends
