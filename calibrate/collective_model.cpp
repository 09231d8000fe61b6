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
// Simple synchronises whole chunks. Latencies are NCCL's constants (tuning.cc: baseLat, hwLat)
// less the wire: 0.6 us for an NVLink hop and 2.7 us for a network hop are in LL's figures.
struct Protocol {
  double ring_base_us;
  double tree_base_us;
  double ring_hop_us;      // added to the wire latency of a hop inside a node
  double tree_hop_us;
  double ring_network_us;  // added to the wire latency of a hop between nodes
  double tree_network_us;
  double post_us;          // least time of a ring step when a network is involved
  double ring_share;       // of the bus bandwidth of Simple
  double tree_share_one_node;
  double tree_share;
  double network_cap_gbyte;  // LL is limited by the CPU proxy, whatever the NICs
};

constexpr double uncapped = 1e9;
constexpr std::array<Protocol, 3> protocols{{
    {6.6, 6.8, 0.0, 0.0, 0.0, 2.3, 1, 0.39, 0.242, 0.242, 20.4},
    {14, 14, 1.3, 0.65, 1.3, 5.8, 1, 0.92, 0.92 * 7 / 9, 0.92 * 120 / 128, uncapped},
    {8.4, 8.4, 2.8, 3.4, 11.3, 11.3, 3, 1.0, 0.92, 0.92, uncapped},
}};

struct Candidate {
  Seconds latency;
  BytesPerSecond bus_rate;
};

// A ring enters and leaves each node once per channel and the channels spread over the NICs, so a
// node's NICs together and a GPU's links each bound the bus bandwidth.
BytesPerSecond ring_rate(const GroupShape& shape) {
  if (shape.nodes == 1) return shape.scale_up_rate;
  if (shape.ranks_per_node == 1) return shape.network_rate;
  return std::min(shape.scale_up_rate, shape.network_rate);
}

Candidate ring(Collective op, const GroupShape& shape, const Protocol& p) {
  const Seconds hop = shape.scale_up_latency + Seconds::from_us(p.ring_hop_us);
  const Seconds network = shape.network_latency + Seconds::from_us(p.ring_network_us);
  const bool across = shape.nodes > 1;
  Candidate candidate{Seconds::from_us(p.ring_base_us), ring_rate(shape) * p.ring_share};
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

Candidate tree(const GroupShape& shape, const Protocol& p) {
  const Seconds hop = shape.scale_up_latency + Seconds::from_us(p.tree_hop_us);
  const Seconds network = shape.network_latency + Seconds::from_us(p.tree_network_us);
  const double levels = std::floor(std::log2(shape.nodes));
  const double share = shape.nodes == 1 ? p.tree_share_one_node : p.tree_share;
  // A tree carries the buffer up and down once; a ring's bus bandwidth counts 2 (n-1)/n of it.
  const double as_bus = static_cast<double>(shape.ranks - 1) / shape.ranks;
  Candidate candidate{Seconds::from_us(p.tree_base_us) +
                          2 * ((shape.ranks_per_node - 1) * hop + levels * network),
                      ring_rate(shape) * (share * as_bus)};
  if (shape.nodes > 1)
    candidate.bus_rate = std::min(candidate.bus_rate,
                                  BytesPerSecond::from_gbyte(p.network_cap_gbyte * as_bus));
  return candidate;
}

// NVLink SHARP: each GPU reads and writes the buffer once, the switch adds. Its algorithm
// bandwidth is 0.755 of what a ring's large transfers reach (tuning.cc: 0.85 of the channels'
// speed, 15 of 16 channels).
Candidate in_switch(const GroupShape& shape) {
  const double as_bus = bus_factor(Collective::all_reduce, shape.ranks);
  return {Seconds::from_us(25), shape.scale_up_rate * (0.755 * as_bus)};
}

// Every rank sends an equal part to every other: what stays inside the node and what leaves it
// move at the same time.
Candidate pairwise(const GroupShape& shape) {
  const double ranks = shape.ranks;
  const double inside = (shape.ranks_per_node - 1) / ranks / shape.scale_up_rate.byte();
  const double outside = shape.nodes == 1 ? 0
                                          : (ranks - shape.ranks_per_node) / ranks *
                                                shape.ranks_per_node / shape.network_rate.byte();
  const double seconds_per_byte = std::max(inside, outside);
  Seconds latency = Seconds::from_us(12) + shape.scale_up_latency;
  if (shape.nodes > 1) latency += shape.network_latency + Seconds::from_us(0.5 * ranks);
  return {latency,
          BytesPerSecond::from_byte(bus_factor(Collective::all_to_all, shape.ranks) /
                                    seconds_per_byte)};
}

Candidate message(const GroupShape& shape) {
  const Protocol& simple = protocols.back();
  if (shape.nodes == 1)
    return {Seconds::from_us(simple.ring_base_us) + shape.scale_up_latency, shape.scale_up_rate};
  return {Seconds::from_us(simple.ring_base_us) + shape.network_latency, shape.network_rate};
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
      if (shape.in_switch_reduction && shape.nodes == 1) list.add(in_switch(shape));
    }
  }
  return list;
}

}  // namespace

double bus_factor(Collective op, int ranks) {
  if (ranks <= 1) return 0;
  const double others = static_cast<double>(ranks - 1) / ranks;
  switch (op) {
    case Collective::all_reduce: return 2 * others;
    case Collective::all_gather:
    case Collective::reduce_scatter:
    case Collective::all_to_all: return others;
    case Collective::broadcast:
    case Collective::reduce:
    case Collective::send_receive: return 1;
  }
  return 1;
}

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
    const Seconds time = candidate.latency + Seconds::from_s(wire / candidate.bus_rate.byte());
    if (time < best.total.time) {
      best.latency = candidate.latency;
      best.bus_rate = candidate.bus_rate;
      best.total.time = time;
    }
  }
  best.total.spread = 0.15;
  return best;
}

}  // namespace calibrate
