#include "calibrate/nccl/p2p.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "base/check.hpp"

namespace calibrate::nccl {

namespace {

constexpr double kib = 1024;

/// Bytes that leave (or reach) the busiest GPU, the busiest pair, node and NIC.
struct Loads {
  double message = 0;
  double gpu = 0;
  double pair = 0;
  double node = 0;
  double nic = 0;
  double remote_peers = 0;  ///< of the busiest rank
};

Loads loads_of(const Paths& p, Collective op, double bytes) {
  const double ranks = p.ranks;
  const double g = p.ranks_per_node;
  Loads loads;
  if (op == Collective::send_receive) {
    loads.message = bytes;
    if (p.nodes == 1)
      loads.gpu = loads.pair = bytes;
    else
      loads.node = loads.nic = bytes, loads.remote_peers = 1;
    return loads;
  }
  loads.message = bytes / ranks;
  loads.pair = g > 1 ? loads.message : 0;
  loads.gpu = (g - 1) * loads.message;
  loads.remote_peers = ranks - g;
  // In an all-to-all each rank sends to all ranks elsewhere; a gather ends at one NIC.
  loads.nic = op == Collective::all_to_all ? 0 : loads.remote_peers * loads.message;
  loads.node = loads.remote_peers * loads.message * (op == Collective::all_to_all ? g : 1);
  return loads;
}

double us(double bytes, double gbyte) { return bytes > 0 ? bytes / (1000 * gbyte) : 0; }

bool over_nvlink(const Paths& p) {
  return p.scale_up == topology::ScaleUpKind::nvswitch || p.scale_up == topology::ScaleUpKind::mesh;
}

P2pCost cost_in(Protocol protocol, const Communicator& c, const Paths& p, Collective op,
                double bytes) {
  const Constants& k = constants_of(c.version);
  const Loads loads = loads_of(p, op, bytes);
  const bool across = p.nodes > 1;
  const bool ll = protocol == Protocol::ll;
  const std::size_t row = index_of(protocol);
  const std::size_t ring = index_of(CollectiveAlgorithm::ring);
  const std::size_t tree = index_of(CollectiveAlgorithm::tree);
  const PerChoice& inside = over_nvlink(p) ? k.nvlink_latency : k.pcie_latency;
  // One message hides behind no other, as in a communicator of one rank a node.
  const double hop = across ? k.network_latency.at(tree).at(row) : inside.at(ring).at(row);
  P2pCost cost{protocol, k.base_latency.at(ring).at(row) + hop, 0, p2p_channels(p)};

  const double links = std::max(us(loads.gpu, p.gpu_gbyte), us(loads.pair, p.pair_gbyte));
  const double nics = std::max(us(loads.node, p.node_gbyte), us(loads.nic, p.nic_gbyte));
  const double posting = across ? network_overhead_us(c) * (ll ? 1 : 3) * loads.remote_peers : 0;
  // LL sends a flag with each word of data.
  cost.time_us = cost.latency_us + std::max({ll ? 2 * links : links, nics, posting});
  if (ll) return cost;
  const double held = cost.channels * (over_nvlink(p) && !across ? 512 * kib : 128 * kib);
  const double last = std::min(held, across ? loads.node : loads.gpu);
  cost.time_us += us(last, across ? p.node_gbyte : p.gpu_gbyte);
  return cost;
}

}  // namespace

int p2p_channels(const Paths& paths) {
  constexpr unsigned most = 32;
  if (!(paths.link_gbyte > 0) || paths.ranks_per_node < 2) return 2;
  const double links = std::round(paths.pair_gbyte / paths.link_gbyte);
  const auto wanted = static_cast<unsigned>(std::clamp(2 * links, 2.0, 64.0));
  return static_cast<int>(std::min(std::bit_ceil(wanted), most));
}

P2pCost p2p_cost(const Communicator& c, const Paths& p, Collective op, double bytes) {
  CHECK_INVARIANT(p.ranks >= 2 && !has_table(op));
  const double ll_most = 16 * kib * p2p_channels(p);  // of one message
  if (p.nodes > 1 || loads_of(p, op, bytes).message > ll_most)
    return cost_in(Protocol::simple, c, p, op, bytes);
  const P2pCost ll = cost_in(Protocol::ll, c, p, op, bytes);
  const P2pCost simple = cost_in(Protocol::simple, c, p, op,
                                 op == Collective::send_receive ? ll_most : ll_most * p.ranks);
  return ll.time_us <= simple.time_us ? ll : simple;
}

}  // namespace calibrate::nccl
