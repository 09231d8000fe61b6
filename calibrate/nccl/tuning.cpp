#include "calibrate/nccl/tuning.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.hpp"

namespace calibrate::nccl {

namespace {

using topology::CpuVendor;
using topology::NcclGraph;
using topology::NcclPath;
using topology::NcclPattern;

constexpr std::size_t simple = 2;

// Steps of a ring in which each rank sends once.
int steps_of(Collective op, int ranks) {
  if (op == Collective::all_reduce) return 2 * (ranks - 1);
  return one_way(op) ? ranks - 1 : ranks;
}

const NcclGraph& graph_of(const Communicator& c, CollectiveAlgorithm algorithm) {
  switch (algorithm) {
    case CollectiveAlgorithm::tree: return c.graphs.tree;
    case CollectiveAlgorithm::collnet_direct: return c.graphs.collnet_direct;
    case CollectiveAlgorithm::collnet_chain: return c.graphs.collnet_chain;
    case CollectiveAlgorithm::nvls:
    case CollectiveAlgorithm::nvls_tree: return c.graphs.nvls;
    default: return c.graphs.ring;
  }
}

bool is_collnet(CollectiveAlgorithm algorithm) {
  return algorithm == CollectiveAlgorithm::collnet_direct ||
         algorithm == CollectiveAlgorithm::collnet_chain;
}

// LL is limited by the GPU inside a node, by the CPU that feeds the NICs across nodes: NCCL takes
// the row of Ampere for AMD then, of Volta for others.
double ll_most(const Communicator& c, const Constants& k) {
  std::size_t row = generation_of(c.compute_capability);
  if (c.nodes > 1) row = c.cpu == CpuVendor::amd ? 1 : 0;
  return k.ll.at(row).at(column_of(c.nodes));
}

double tree_bus(const Communicator& c, const Constants& k, std::size_t protocol, double bus) {
  const std::size_t generation = generation_of(c.compute_capability);
  const std::size_t column = column_of(c.nodes);
  const double channels = c.graphs.tree.channels;
  bus = std::min(0.92 * bus, channels * k.tree.at(generation).at(column));
  if (protocol == 0) bus = std::min(bus / 3.8, ll_most(c, k));
  if (protocol == 1)
    bus = std::min(bus * (c.nodes == 1 ? 7.0 / 9.0 : 120.0 / 128.0),
                   channels * k.tree_ll128.at(generation).at(column));
  return c.graphs.tree.pattern == NcclPattern::tree ? 0.85 * bus : bus;
}

double ring_bus(const Communicator& c, const Constants& k, std::size_t protocol, double bus) {
  const std::size_t generation = generation_of(c.compute_capability);
  if (protocol == 0) return std::min(ll_most(c, k), bus / 2);
  if (protocol == 1)
    return std::min(0.92 * bus,
                    c.graphs.ring.channels * k.ring_ll128.at(generation).at(column_of(c.nodes)));
  return bus;
}

// One channel in C is lost to the share of the head itself; a GPU writes and reads at once in an
// all-reduce.
double nvls_bus(const Communicator& c, const Constants& k, bool tree, Collective op) {
  const NcclGraph& graph = c.graphs.nvls;
  if (graph.channels < 2) return 0;
  const std::size_t generation = generation_of(c.compute_capability);
  const double channels = graph.channels;
  double inside = graph.speed_intra * k.nvls_efficiency.at(generation) * (channels - 1) / channels;
  inside *= op == Collective::all_reduce ? 2 : (c.ranks_per_node() - 1) / c.ranks_per_node();
  const double outside = graph.speed_inter * (tree && c.nodes <= 2 ? 2 : 1);
  double bus = std::min(inside, outside);
  if (tree) bus = std::min(bus, k.nvls_tree.at(generation).at(column_of(c.nodes)));
  return channels * bus;
}

double collnet_direct_bus(const Communicator& c, Collective op, double bus) {
  const NcclGraph& graph = c.graphs.collnet_direct;
  const double g = c.ranks_per_node();
  if (one_way(op)) return g * std::min(graph.speed_intra, 0.9 * graph.speed_inter);
  double gpus_a_nic = g / graph.channels;
  gpus_a_nic -= (gpus_a_nic - 1) / 2;
  return bus / gpus_a_nic * (c.compute_capability >= 90 ? 0.85 : 1);
}

double bus_bandwidth(const Communicator& c, const Constants& k, Collective op,
                     CollectiveAlgorithm algorithm, std::size_t protocol) {
  const NcclGraph& graph = graph_of(c, algorithm);
  if (graph.channels == 0) return 0;
  const bool inside = c.nodes <= 2 || is_collnet(algorithm);
  const double bus = graph.channels * (inside ? graph.speed_intra : graph.speed_inter);
  switch (algorithm) {
    case CollectiveAlgorithm::tree: return tree_bus(c, k, protocol, bus);
    case CollectiveAlgorithm::ring: return ring_bus(c, k, protocol, bus);
    case CollectiveAlgorithm::nvls: return nvls_bus(c, k, false, op);
    case CollectiveAlgorithm::nvls_tree: return nvls_bus(c, k, true, op);
    case CollectiveAlgorithm::collnet_direct: return collnet_direct_bus(c, op, bus);
    case CollectiveAlgorithm::pat: return 0.75 * bus;
    default: return bus;
  }
}

double algorithm_bandwidth(const Communicator& c, const Constants& k, Collective op,
                           CollectiveAlgorithm algorithm, std::size_t protocol) {
  const double bus = bus_bandwidth(c, k, op, algorithm, protocol);
  if (algorithm != CollectiveAlgorithm::ring && one_way(op)) return bus;
  const bool by_steps = algorithm == CollectiveAlgorithm::ring ||
                        algorithm == CollectiveAlgorithm::nvls ||
                        algorithm == CollectiveAlgorithm::nvls_tree;
  return by_steps ? bus * c.ranks / steps_of(op, c.ranks) : bus / 2;
}

struct Hops {
  double base;
  double inside;   // between GPUs of a node
  double network;  // what the wire alone takes
  double outside;  // with what the network adds, between nodes
};

Hops hops_of(const Communicator& c, const Constants& k, CollectiveAlgorithm algorithm,
             std::size_t protocol) {
  const NcclGraph& graph = graph_of(c, algorithm);
  const std::size_t a = index_of(algorithm);
  const PerChoice& inside = graph.type_intra == NcclPath::nvl ? k.nvlink_latency : k.pcie_latency;
  // Where each rank is a node of its own no hop hides behind another.
  const std::size_t row = c.ranks == c.nodes ? index_of(CollectiveAlgorithm::tree) : a;
  const double added = graph.latency_inter * (protocol == simple ? 2 : 1);
  return {k.base_latency.at(a).at(protocol), inside.at(a).at(protocol),
          k.network_latency.at(a).at(protocol), k.network_latency.at(row).at(protocol) + added};
}

double ring_latency(const Communicator& c, const Constants& k, Collective op, std::size_t protocol,
                    const Hops& hops) {
  const int steps = steps_of(op, c.ranks);
  if (rooted(op)) {
    const double hop = c.nodes > 1 ? hops.network : hops.inside;
    if (c.graphs.ring.same_channels) return hops.base + hop;
    if (protocol != simple) return hops.base + steps * hop;
    const Hops tree = hops_of(c, k, CollectiveAlgorithm::tree, protocol);
    return hops.base + steps * (c.nodes > 1 ? tree.network : tree.inside);
  }
  double inside = hops.inside;
  if (c.nodes > 1) inside = std::max(inside, network_overhead_us(c) * (protocol == simple ? 3 : 1));
  const int between = c.nodes == 1 ? 0 : (op == Collective::all_reduce ? 2 : 1) * (c.nodes - 1);
  return hops.base + (steps - between) * inside + between * hops.outside;
}

double latency_us(const Communicator& c, const Constants& k, Collective op,
                  CollectiveAlgorithm algorithm, std::size_t protocol) {
  const Hops hops = hops_of(c, k, algorithm, protocol);
  const double g = c.ranks_per_node();
  const double levels = std::floor(std::log2(c.nodes));
  switch (algorithm) {
    case CollectiveAlgorithm::ring: return ring_latency(c, k, op, protocol, hops);
    case CollectiveAlgorithm::tree:
      return hops.base + 2 * ((g - 1) * hops.inside + levels * hops.outside);
    case CollectiveAlgorithm::collnet_direct:
      return hops.base + 2 * (std::min(1.0, g - 1) * hops.inside + 0.4 * (g - 1)) + hops.outside;
    case CollectiveAlgorithm::collnet_chain:
      return hops.base + 2 * (g - 1) * hops.inside + hops.outside;
    case CollectiveAlgorithm::nvls: return hops.inside + (c.nodes > 1 ? hops.outside : 0);
    case CollectiveAlgorithm::nvls_tree: return hops.inside + 2 * levels * hops.outside;
    default: return hops.base + levels * hops.outside / 3.5 + 2.8 * c.ranks;
  }
}

bool algorithm_enabled(const Communicator& c, Collective op, CollectiveAlgorithm algorithm) {
  constexpr double direct_arity = 8;
  const double g = c.ranks_per_node();
  switch (algorithm) {
    case CollectiveAlgorithm::collnet_direct:
      return c.collnet && c.nodes > 1 && c.nvswitch && g <= direct_arity + 1;
    case CollectiveAlgorithm::collnet_chain:
      return c.collnet && c.nodes > 1 && g <= direct_arity + 1;
    case CollectiveAlgorithm::nvls:
      // Between nodes the network has to add as well, with a head for each GPU.
      if (c.nodes > 1 && (!c.collnet || c.graphs.nvls.channels < g)) return false;
      return c.multicast && (!one_way(op) || g <= c.graphs.nvls.channels);
    case CollectiveAlgorithm::nvls_tree: return c.multicast && c.nodes > 1;
    case CollectiveAlgorithm::pat: return c.pat && c.ranks == c.nodes && c.compute_capability >= 60;
    default: return true;
  }
}

// LL128 needs stores of 128 bytes to arrive whole.
bool ll128_trusted(const Communicator& c, CollectiveAlgorithm algorithm) {
  const NcclGraph& graph = graph_of(c, algorithm);
  const bool over_pxn = c.ll128_c2c && c.compute_capability >= 90;
  return graph.type_intra <= NcclPath::nvb &&
         graph.type_inter <= (over_pxn ? NcclPath::pxn : NcclPath::pxb) && c.same_capability &&
         c.compute_capability >= 70;
}

double tree_correction(const Constants& k, std::size_t protocol, double bytes) {
  if (bytes < 64) return 1;
  const auto index = static_cast<std::size_t>(std::ilogb(bytes / 64));
  return index < k.tree_corrections ? k.tree_correction.at(protocol).at(index) : 1;
}

bool corrected(const Communicator& c, const Constants& k, Collective op,
               CollectiveAlgorithm algorithm) {
  if (op != Collective::all_reduce) return false;
  if (algorithm == CollectiveAlgorithm::tree) return true;
  return algorithm == CollectiveAlgorithm::nvls_tree && k.tree_correction_for_nvls_tree &&
         c.compute_capability >= 100 && c.cpu != CpuVendor::arm;
}

// Large rings across nodes fill their pipeline more slowly than the sum of hops says.
double latency_factor(const Communicator& c, Collective op, CollectiveAlgorithm algorithm,
                      std::size_t protocol, double bytes) {
  const bool large = op == Collective::all_reduce && algorithm == CollectiveAlgorithm::ring &&
                     protocol == simple && c.nodes > 1 &&
                     bytes / (static_cast<double>(c.channels) * c.ranks) >= 64;
  if (!large) return 1;
  return c.compute_capability < 80 ? 1.9 : 1.4;
}

}  // namespace

double network_overhead_us(const Communicator& c) {
  if (c.network_overhead_us >= 0) return c.network_overhead_us;
  return c.cpu == CpuVendor::amd ? 2 : 1;
}

bool implements(CollectiveAlgorithm algorithm, Protocol protocol, Collective op) {
  const bool all_protocols =
      algorithm == CollectiveAlgorithm::tree || algorithm == CollectiveAlgorithm::ring;
  if (!all_protocols && protocol != Protocol::simple) return false;
  if (rooted(op)) return algorithm == CollectiveAlgorithm::ring;
  if (!one_way(op)) return algorithm != CollectiveAlgorithm::pat;
  return algorithm == CollectiveAlgorithm::ring || algorithm == CollectiveAlgorithm::nvls ||
         algorithm == CollectiveAlgorithm::collnet_direct || algorithm == CollectiveAlgorithm::pat;
}

bool rooted(Collective op) { return op == Collective::broadcast || op == Collective::reduce; }

double chain_us(const Communicator& c, Protocol protocol) {
  const Hops hops =
      hops_of(c, constants_of(c.version), CollectiveAlgorithm::ring, index_of(protocol));
  return (c.ranks - c.nodes) * hops.inside + (c.nodes - 1) * hops.outside;
}

bool has_table(Collective op) { return op == Collective::all_reduce || one_way(op) || rooted(op); }

Table make_table(const Communicator& c, Collective op, const Selection& selection) {
  CHECK_INVARIANT(has_table(op) && c.ranks >= 2 && c.nodes >= 1 && c.channels >= 1);
  const Constants& k = constants_of(c.version);
  Table table;
  for (const CollectiveAlgorithm algorithm : algorithms) {
    const std::size_t a = index_of(algorithm);
    const bool wanted = selection.algorithms.at(a) && algorithm_enabled(c, op, algorithm);
    for (std::size_t p = 0; p < protocols.size(); ++p) {
      if (!implements(algorithm, protocols.at(p), op)) continue;
      Estimate& estimate = table.at(a).at(p);
      estimate.bandwidth_gbyte = algorithm_bandwidth(c, k, op, algorithm, p);
      if (!(estimate.bandwidth_gbyte > 0)) continue;
      estimate.latency_us = latency_us(c, k, op, algorithm, p);
      const Allowed allowed = selection.protocols.at(p);
      const bool trusted = p != 1 || ll128_trusted(c, algorithm);
      estimate.enabled =
          wanted && (allowed == Allowed::yes || (allowed == Allowed::by_default && trusted));
    }
  }
  return table;
}

double time_us(const Communicator& c, Collective op, const Table& table, std::size_t algorithm,
               std::size_t protocol, double bytes) {
  const Estimate& estimate = table.at(algorithm).at(protocol);
  if (!estimate.enabled) return std::numeric_limits<double>::infinity();
  const Constants& k = constants_of(c.version);
  const CollectiveAlgorithm name = algorithms.at(algorithm);
  double bandwidth = estimate.bandwidth_gbyte;
  if (corrected(c, k, op, name)) bandwidth *= tree_correction(k, protocol, bytes);
  return estimate.latency_us * latency_factor(c, op, name, protocol, bytes) +
         bytes / (1000 * bandwidth);
}

Choice choose(const Communicator& c, Collective op, const Table& table, double bytes) {
  Choice best;
  best.time_us = std::numeric_limits<double>::infinity();
  for (std::size_t a = 0; a < algorithms.size(); ++a)
    for (std::size_t p = 0; p < protocols.size(); ++p) {
      if (!table.at(a).at(p).enabled) continue;
      const double time = time_us(c, op, table, a, p, bytes);
      if (!(time < best.time_us)) continue;
      best.algorithm = algorithms.at(a);
      best.protocol = protocols.at(p);
      best.time_us = time;
      best.latency_us =
          table.at(a).at(p).latency_us * latency_factor(c, op, best.algorithm, p, bytes);
    }
  return best;
}

}  // namespace calibrate::nccl
