#include "calibrate/collective_model.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "base/check.hpp"

namespace calibrate {

namespace {

using base::BytesPerSecond;
using base::Seconds;

// NCCL moves data in three protocols. LL sends 4 bytes of flag with 4 of data, LL128 8 with 120,
// Simple synchronises whole chunks. Base latencies are NCCL's (tuning.cc, baseLat); a shape gives
// the latency of a hop in Simple, the others take the share that NCCL's hwLat table has of it
// (NVLink 0.6/1.9/3.4 us in a ring and 0.6/1.25/4.0 in a tree, network 2.7/4/14 and 5/8.5/14).
struct Protocol {
  double ring_base_us;
  double tree_base_us;
  double ring_hop;
  double tree_hop;
  double ring_network;
  double tree_network;
  double post_us;     // least time of a ring step when a network is involved
  double ring_share;  // of the bus bandwidth of Simple
  double tree_share_one_node;
  double tree_share;
  double network_cap_gbyte;  // LL is limited by the CPU proxy, whatever the NICs
};

constexpr double uncapped = 1e9;
constexpr std::array<Protocol, 3> protocols{{
    {6.6, 6.8, 0.6 / 3.4, 0.6 / 3.4, 2.7 / 14, 5.0 / 14, 1, 0.39, 0.25, 0.25, 20.4},
    {14, 14, 1.9 / 3.4, 1.25 / 3.4, 4.0 / 14, 8.5 / 14, 1, 0.92, 0.92 * 7 / 9, 0.86, uncapped},
    {8.4, 8.4, 1.0, 4.0 / 3.4, 1.0, 1.0, 3, 1.0, 0.92, 0.92, uncapped},
}};

// Small buffers leave channels idle and pipelines unfilled: the bus bandwidth of `size` bytes is
// 1 / (1 + (knee/size)^slope) of that of large ones. Fitted on published nccl-tests sweeps of A100
// and H100 nodes (median error 3 to 5 % from 4 MiB on), and on two to eight nodes of them.
struct Ramp {
  double knee_mb;
  double slope;
};
constexpr Ramp ring_ramp{3.25, 0.765};
constexpr Ramp ring_network_ramp{5.0, 0.765};
constexpr Ramp tree_network_ramp{20.0, 0.75};
constexpr Ramp in_switch_ramp{16.3, 0.687};
constexpr Ramp in_switch_tree_ramp{55.0, 0.75};
constexpr Ramp pairwise_ramp{13.85, 0.72};

struct Candidate {
  Seconds latency;
  BytesPerSecond bus_rate;  // of very large buffers
  Ramp ramp;
};

// Share of a GPU's links that a ring of few members reaches: fewer peers, fewer transfers at once
// (same sweeps: 2 GPUs reach 0.86 of what 8 do in all_reduce, 0.79 in all_gather).
double few_ranks(Collective op, int ranks) {
  const bool one_way = op == Collective::all_gather || op == Collective::reduce_scatter;
  return ranks / (ranks + (one_way ? 0.8 : 0.47));
}

// A ring enters and leaves each node once per channel and the channels spread over the NICs, so a
// node's NICs together and a GPU's links each bound the bus bandwidth.
BytesPerSecond ring_rate(Collective op, const GroupShape& shape) {
  if (shape.ranks_per_node == 1) return shape.network_rate;
  const BytesPerSecond inside = shape.scale_up_rate * few_ranks(op, shape.ranks_per_node);
  return shape.nodes == 1 ? inside : std::min(inside, shape.network_rate);
}

Candidate ring(Collective op, const GroupShape& shape, const Protocol& p) {
  const bool across = shape.nodes > 1;
  const Seconds hop = shape.scale_up_latency * p.ring_hop;
  const Seconds network = shape.network_latency * p.ring_network;
  Candidate candidate{Seconds::from_us(p.ring_base_us), ring_rate(op, shape) * p.ring_share,
                      across ? ring_network_ramp : ring_ramp};
  if (across)
    candidate.bus_rate =
        std::min(candidate.bus_rate, BytesPerSecond::from_gbyte(p.network_cap_gbyte));
  if (op == Collective::broadcast || op == Collective::reduce) {
    candidate.latency += across ? network : hop;  // chunks follow one another without waiting
    return candidate;
  }
  const int rounds = op == Collective::all_reduce ? 2 : 1;
  const int between = across ? rounds * (shape.nodes - 1) : 0;
  const int inside = rounds * (shape.ranks - 1) - between;
  const Seconds step = across ? std::max(hop, Seconds::from_us(p.post_us)) : hop;
  candidate.latency += step * inside + network * between;
  return candidate;
}

// A tree's bandwidth counts the buffer once, bus bandwidth 2 (n-1)/n times.
BytesPerSecond as_bus(BytesPerSecond algorithm_rate, int ranks) {
  return algorithm_rate * bus_factor(Collective::all_reduce, ranks);
}

// What the NICs of a node let through a tree: with two nodes the buffer leaves and enters once;
// with more, the double binary tree passes it twice through each node on average. NCCL finds trees
// at twice the ring's speed on eight-GPU nodes; on smaller ones sweeps show the ring's.
BytesPerSecond tree_network_rate(const GroupShape& shape) {
  const bool once = shape.nodes == 2 && shape.ranks_per_node >= 8;
  return shape.network_rate * (once ? 1.0 : 0.5);
}

Candidate tree(const GroupShape& shape, const Protocol& p) {
  const Seconds hop = shape.scale_up_latency * p.tree_hop;
  const Seconds network = shape.network_latency * p.tree_network;
  const double levels = std::floor(std::log2(shape.nodes));
  const bool across = shape.nodes > 1;
  // Inside a node the tree is a chain: each link carries the buffer up and down.
  BytesPerSecond rate = shape.scale_up_rate * 0.5;
  if (shape.ranks_per_node == 1) rate = tree_network_rate(shape);
  if (across) rate = std::min(rate, tree_network_rate(shape));
  rate = rate * (across ? p.tree_share : p.tree_share_one_node);
  if (across) rate = std::min(rate, BytesPerSecond::from_gbyte(p.network_cap_gbyte));
  return {
      Seconds::from_us(p.tree_base_us) + 2 * ((shape.ranks_per_node - 1) * hop + levels * network),
      as_bus(rate, shape.ranks), across ? tree_network_ramp : ring_ramp};
}

// NVLink SHARP: each GPU reads and writes the buffer once, the switch adds. tuning.cc: 0.85 of the
// channels' speed on 15 of 16 channels, so 0.755 of what a ring's large transfers reach; across
// nodes one more step of 0.9 and a tree over the NICs. The switches of NVLink 5 add no faster than
// 480 GB/s (ml-engineering's B200 sweeps), less than the links would carry.
Candidate in_switch(const GroupShape& shape) {
  const BytesPerSecond rate =
      std::min(shape.scale_up_rate * 0.755, BytesPerSecond::from_gbyte(480));
  if (shape.nodes == 1) return {Seconds::from_us(2), as_bus(rate, shape.ranks), in_switch_ramp};
  const double levels = std::floor(std::log2(shape.nodes));
  return {Seconds::from_us(25) + shape.network_latency * (2 * levels * 20.9 / 14),
          as_bus(std::min(rate * 0.9, tree_network_rate(shape)), shape.ranks), in_switch_tree_ramp};
}

// Every rank sends an equal part to every other: what stays inside the node and what leaves it
// move at the same time. Many small messages reach 0.65 of what a ring gets out of the NICs
// (Polaris sweeps: 0.5 to 0.58; no other public ones).
Candidate pairwise(const GroupShape& shape) {
  constexpr double network_share = 0.65;
  const double ranks = shape.ranks;
  const BytesPerSecond links =
      shape.scale_up_rate * few_ranks(Collective::all_to_all, shape.ranks_per_node);
  const double seconds_inside = (shape.ranks_per_node - 1) / ranks / links.byte();
  double seconds_outside = 0;
  Seconds latency = shape.scale_up_latency;
  if (shape.nodes > 1) {
    seconds_outside = (ranks - shape.ranks_per_node) / ranks * shape.ranks_per_node /
                      (shape.network_rate.byte() * network_share);
    latency += shape.network_latency + Seconds::from_us(0.5 * ranks);
  }
  const double factor = bus_factor(Collective::all_to_all, shape.ranks);
  return {latency, BytesPerSecond::from_byte(factor / std::max(seconds_inside, seconds_outside)),
          pairwise_ramp};
}

Candidate message(const GroupShape& shape) {
  const bool across = shape.nodes > 1;
  return {Seconds::from_us(protocols.back().ring_base_us) +
              (across ? shape.network_latency : shape.scale_up_latency),
          across ? shape.network_rate : shape.scale_up_rate, Ramp{0.5, 0.765}};
}

double ramp_factor(const Ramp& ramp, double bytes) {
  return bytes > 0 ? 1 / (1 + std::pow(ramp.knee_mb * 1e6 / bytes, ramp.slope)) : 1;
}

struct Candidates {
  std::array<Candidate, 8> items;
  std::size_t count = 0;
  void add(const Candidate& candidate) { items.at(count++) = candidate; }
};

Candidates candidates_for(Collective op, const GroupShape& shape) {
  Candidates list;
  if (op == Collective::all_to_all) {
    list.add(pairwise(shape));
  } else if (op == Collective::send_receive) {
    list.add(message(shape));
  } else {
    for (const Protocol& protocol : protocols) list.add(ring(op, shape, protocol));
    if (op == Collective::all_reduce) {
      for (const Protocol& protocol : protocols) list.add(tree(shape, protocol));
      if (shape.in_switch_reduction && shape.ranks_per_node > 2) list.add(in_switch(shape));
    }
  }
  return list;
}

}  // namespace

CollectiveCost collective_cost(Collective op, base::Bytes bytes, const GroupShape& shape) {
  CHECK_INVARIANT(shape.ranks >= 1 && shape.nodes >= 1 && shape.ranks_per_node >= 1);
  CHECK_INVARIANT(bytes.count() >= 0);
  CollectiveCost best;
  if (shape.ranks == 1) return best;
  const double wire = bytes.as_double() * bus_factor(op, shape.ranks);
  best.total.time = Seconds::infinity();
  const Candidates list = candidates_for(op, shape);
  for (std::size_t i = 0; i < list.count; ++i) {
    const Candidate& candidate = list.items.at(i);
    const BytesPerSecond rate = candidate.bus_rate * ramp_factor(candidate.ramp, bytes.as_double());
    const Seconds time = candidate.latency + Seconds::from_s(wire / rate.byte());
    if (time < best.total.time) {
      best.latency = candidate.latency;
      best.bus_rate = rate;
      best.total.time = time;
    }
  }
  if (op == Collective::all_to_all || op == Collective::send_receive)
    best.algorithm = CollectiveAlgorithm::direct;
  best.total.spread = shape.nodes == 1 ? 0.10 : 0.25;  // of the sweeps about this model
  return best;
}

}  // namespace calibrate
