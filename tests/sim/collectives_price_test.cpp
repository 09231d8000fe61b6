#include <map>

#include "sim/collectives/price.hpp"
#include "tests/sim/collectives_support.hpp"
#include "tests/support/catch.hpp"

namespace sim::collectives {
namespace {

using Id = CollectiveAlgorithm;

constexpr double nvlink = 400e9;
constexpr double nic = 50e9;

/// What the members of a layout see: NVLink of 400 GB/s and 1 us, a NIC of 50 GB/s a rail, 5 us.
calibrate::GroupShape shape_of(const std::vector<Member>& members) {
  std::map<int, int> ranks;
  std::map<int, std::map<int, int>> rails;
  for (const Member& member : members) {
    ++ranks[member.domain];
    ++rails[member.domain][member.rail];
  }
  calibrate::GroupShape shape;
  shape.ranks = static_cast<int>(members.size());
  shape.nodes = static_cast<int>(ranks.size());
  shape.nics = static_cast<int>(members.size());
  for (const auto& [domain, count] : ranks) {
    shape.ranks_per_node = std::max(shape.ranks_per_node, count);
    shape.nics = std::min(shape.nics, static_cast<int>(rails[domain].size()));
  }
  shape.scale_up_rate = base::BytesPerSecond::from_byte(nvlink);
  shape.scale_up_latency = base::Seconds::from_us(1);
  shape.network_rate = base::BytesPerSecond::from_byte(nic * shape.nics);
  shape.network_latency = base::Seconds::from_us(5);
  return shape;
}

calibrate::CollectiveCost price_of(Id id, Collective op, std::int64_t bytes,
                                   const std::vector<Member>& members) {
  return price(algorithm(id), {op, base::Bytes::from_count(bytes), {}}, members, shape_of(members));
}

TEST_CASE("the price of a ring is that of its slower links") {
  // All-reduce of 8 MB over 8 in a node: 14 hops of 1 us; 2 x 7/8 x 8 MB = 14 MB at 400 GB/s, 35
  // us. Bus bandwidth is 14 MB / 35 us.
  const calibrate::CollectiveCost inside =
      price_of(Id::ring, Collective::all_reduce, 8'000'000, nodes_of_size({8}));
  CHECK(inside.latency.us() == Approx(14));
  CHECK(inside.total.time.us() == Approx(14 + 35));
  CHECK(inside.bus_rate.gbyte() == Approx(400));
  CHECK(inside.algorithm == Id::ring);
  CHECK(inside.total.evidence == calibrate::Evidence::model);
  // Two nodes of 8: 2 x 15/16 x 8 MB = 15 MB over 8 NICs of 50 GB/s: 37.5 us; inside 7/8 x 15 MB at
  // 400 GB/s, 32.8 us, at the same time. Rounds 2 x 14 x 1 us and 2 x 1 x 5 us.
  const calibrate::CollectiveCost across =
      price_of(Id::ring, Collective::all_reduce, 8'000'000, nodes_of_size({8, 8}));
  CHECK(across.latency.us() == Approx(28 + 10));
  CHECK(across.total.time.us() == Approx(38 + 37.5));
  CHECK(across.bus_rate.gbyte() == Approx(400));
}

TEST_CASE("two members on a NIC share it") {
  // All-to-all of 4 MB over two nodes of 4, two a NIC: each sends 4/8 x 4 MB = 2 MB across, a NIC
  // 4 MB at 50 GB/s: 80 us. With a NIC each, 40 us. 5 us latency.
  CHECK(price_of(Id::direct, Collective::all_to_all, 4'000'000, nodes_of_size({4, 4}, 2))
            .total.time.us() == Approx(85));
  CHECK(price_of(Id::direct, Collective::all_to_all, 4'000'000, nodes_of_size({4, 4}))
            .total.time.us() == Approx(45));
}

TEST_CASE("a root that sends to all is the bottleneck of a flat broadcast") {
  // 7 x 4 MB out of one port at 400 GB/s: 70 us, against 10 us in a chain.
  CHECK(
      price_of(Id::direct, Collective::broadcast, 4'000'000, nodes_of_size({8})).total.time.us() ==
      Approx(71));
  CHECK(price_of(Id::ring, Collective::broadcast, 4'000'000, nodes_of_size({8})).total.time.us() ==
        Approx(17));
}

TEST_CASE("a domain of several hosts has a NIC for each of its members") {
  // Two domains of four hosts with two GPUs and two NICs each: rails 0, 1, 0, 1, ... All-to-all of
  // 16 MB over 16: each sends 8 MB across through its own NIC of 50 GB/s: 160 us, 5 us latency.
  std::vector<Member> members;
  for (int i = 0; i < 16; ++i) members.push_back({i / 8, i % 2});
  calibrate::GroupShape shape = shape_of(members);
  shape.nics = 8;
  shape.network_rate = base::BytesPerSecond::from_byte(8 * nic);
  CHECK(price(algorithm(Id::direct), {Collective::all_to_all, base::Bytes::from_mb(16), {}},
              members, shape)
            .total.time.us() == Approx(165));
}

TEST_CASE("nothing to send costs the rounds, nobody to send to nothing") {
  const calibrate::CollectiveCost barrier =
      price_of(Id::recursive_doubling, Collective::barrier, 0, nodes_of_size({8, 8}));
  CHECK(barrier.total.time.us() == Approx(4 * 5));  // each shift crosses the nodes somewhere
  CHECK(price_of(Id::hierarchical, Collective::barrier, 0, nodes_of_size({8, 8})).total.time.us() ==
        Approx(3 + 5 + 3));
  CHECK(price_of(Id::ring, Collective::all_reduce, 1000, nodes_of_size({1})).total.time.us() == 0);
}

/// What has to pass the busiest port, in seconds, whoever does it: all that a member lacks has to
/// come in, all that others lack has to go out.
double least_time(Collective op, double bytes, const std::vector<Member>& members) {
  const auto n = static_cast<double>(members.size());
  std::map<int, double> sizes;
  std::map<int, std::map<int, int>> rails;
  for (const Member& member : members) {
    sizes[member.domain] += 1;
    ++rails[member.domain][member.rail];
  }
  double least = 0;
  for (const auto& [domain, size] : sizes) {
    double leaves = 0;  // out of or into the node
    switch (op) {
      case Collective::all_reduce:
      case Collective::broadcast:
      case Collective::reduce: leaves = bytes; break;
      case Collective::all_gather:
      case Collective::reduce_scatter: leaves = bytes * (n - size) / n; break;
      case Collective::all_to_all: leaves = bytes * size * (n - size) / n; break;
      case Collective::gather:
      case Collective::scatter: leaves = bytes * std::min(size, n - size) / n; break;
      case Collective::send_receive: leaves = bytes; break;
      case Collective::barrier: break;
    }
    if (sizes.size() > 1)
      least = std::max(least, leaves / (nic * static_cast<double>(rails[domain].size())));
    // A member's own ports, NVLink and NIC together, as the faster would be.
    double lacks = 0;
    if (op == Collective::all_reduce) lacks = bytes;
    if (op == Collective::all_gather || op == Collective::reduce_scatter ||
        op == Collective::all_to_all)
      lacks = bytes * (n - 1) / n;
    if (size > 1) least = std::max(least, lacks / (nvlink + nic));
  }
  return least;
}

TEST_CASE("no price beats the bandwidth bound") {
  const std::int64_t bytes = 8'400'000;
  for (const std::vector<Member>& members : all_layouts())
    for (const Algorithm& one : algorithms())
      for (const auto& [name, op] : base::collective_names) {
        if (!one.supports(op) || members.size() == 1) continue;
        INFO(base::name_of(one.id) << " " << name << ", " << members.size() << " members in "
                                   << node_count(members) << " nodes");
        const calibrate::CollectiveCost cost = price_of(one.id, op, bytes, members);
        const double wire = (cost.total.time - cost.latency).s();
        CHECK(wire >= least_time(op, static_cast<double>(bytes), members) * (1 - 1e-4));

        // The same for each port on its own, from the flows.
        std::map<std::pair<int, bool>, double> out;  // member, across
        std::map<std::pair<int, bool>, double> in;
        std::map<std::pair<int, int>, double> nic_out;
        std::map<std::pair<int, int>, double> nic_in;
        for (const Flow& flow : expand(one.id, op, bytes, members).flows) {
          const Member& from = members[static_cast<std::size_t>(flow.from)];
          const Member& to = members[static_cast<std::size_t>(flow.to)];
          const bool across = from.domain != to.domain;
          out[{flow.from, across}] += flow.bytes.as_double();
          in[{flow.to, across}] += flow.bytes.as_double();
          if (across) nic_out[{from.domain, from.rail}] += flow.bytes.as_double();
          if (across) nic_in[{to.domain, to.rail}] += flow.bytes.as_double();
        }
        double busiest = 0;
        for (const auto& ports : {out, in})
          for (const auto& [port, load] : ports)
            busiest = std::max(busiest, load / (port.second ? nic : nvlink));
        for (const auto& nics : {nic_out, nic_in})
          for (const auto& [rail, load] : nics) busiest = std::max(busiest, load / nic);
        CHECK(wire >= busiest * (1 - 1e-9));
        // And it is no slower where all nodes are alike.
        if (members.size() % static_cast<std::size_t>(node_count(members)) == 0 &&
            members.back().domain == node_count(members) - 1 &&
            shape_of(members).ranks_per_node * node_count(members) ==
                static_cast<int>(members.size()))
          CHECK(wire == Approx(busiest).epsilon(1e-9));
        const double bus = base::bus_factor(op, static_cast<int>(members.size()));
        if (wire > 0)
          CHECK(cost.bus_rate.byte() == Approx(static_cast<double>(bytes) * bus / wire));
      }
}

}  // namespace
}  // namespace sim::collectives
