#include "calibrate/collective_model.hpp"

#include <array>

#include "tests/calibrate/support.hpp"

namespace calibrate {
namespace {

using base::Bytes;
using base::BytesPerSecond;
using base::Seconds;

// Hops as NCCL has them: 3.4 us over NVLink and 14 us over a network, in the Simple protocol.
GroupShape one_node(int ranks, double gbyte) {
  GroupShape shape;
  shape.ranks = ranks;
  shape.ranks_per_node = ranks;
  shape.scale_up_rate = BytesPerSecond::from_gbyte(gbyte);
  shape.scale_up_latency = Seconds::from_us(3.4);
  return shape;
}

GroupShape across(int nodes, int ranks_per_node, double inside_gbyte, double network_gbyte) {
  GroupShape shape = one_node(nodes * ranks_per_node, inside_gbyte);
  shape.nodes = nodes;
  shape.ranks_per_node = ranks_per_node;
  shape.network_rate = BytesPerSecond::from_gbyte(network_gbyte);
  shape.network_latency = Seconds::from_us(14);
  return shape;
}

constexpr std::array all_operations{Collective::all_reduce,     Collective::all_gather,
                                    Collective::reduce_scatter, Collective::all_to_all,
                                    Collective::broadcast,      Collective::reduce,
                                    Collective::send_receive};

TEST_CASE("bus factors are those of nccl-tests") {
  CHECK(bus_factor(Collective::all_reduce, 8) == Approx(1.75));
  CHECK(bus_factor(Collective::all_gather, 8) == Approx(0.875));
  CHECK(bus_factor(Collective::reduce_scatter, 4) == Approx(0.75));
  CHECK(bus_factor(Collective::all_to_all, 2) == Approx(0.5));
  CHECK(bus_factor(Collective::broadcast, 8) == 1);
  CHECK(bus_factor(Collective::all_reduce, 1) == 0);
}

TEST_CASE("an all-gather in a node takes the best protocol of the ring") {
  // 8 ranks of 220 GB/s: the ring reaches 220 * 8/8.8 = 200 GB/s. 3.25 MB is the knee of the ramp,
  // half of that: 100 GB/s. On the wire 3.25 MB * 7/8 = 2.84375 MB.
  //   LL      6.6 + 7 * 0.6 = 10.8 us, 0.39 * 100 GB/s: 72.917 us, together 83.717 us
  //   LL128  14   + 7 * 1.9 = 27.3 us, 0.92 * 100 GB/s: 30.910 us, together 58.210 us  <- best
  //   Simple  8.4 + 7 * 3.4 = 32.2 us,        100 GB/s: 28.438 us, together 60.638 us
  const CollectiveCost cost =
      collective_cost(Collective::all_gather, Bytes::from_mb(3.25), one_node(8, 220));
  CHECK(cost.latency.us() == Approx(27.3));
  CHECK(cost.bus_rate.gbyte() == Approx(92));
  CHECK(cost.total.time.us() == Approx(58.210).margin(0.001));
}

TEST_CASE("an all-reduce in a node uses the switch where it can add") {
  // 400 GB/s: the switch passes 0.755 * 400 = 302 GB/s of the buffer, as bus bandwidth
  // 302 * 1.75 = 528.5 GB/s; at its knee of 16.3 MB half of it. 2 us + 16.3 MB * 1.75 / 264.25 GB/s
  // = 2 + 107.947 us.
  GroupShape shape = one_node(8, 400);
  shape.in_switch_reduction = true;
  const Bytes size = Bytes::from_mb(16.3);
  const CollectiveCost cost = collective_cost(Collective::all_reduce, size, shape);
  CHECK(cost.total.time.us() == Approx(109.947).margin(0.001));
  shape.in_switch_reduction = false;
  CHECK(collective_cost(Collective::all_reduce, size, shape).total.time > cost.total.time);
}

TEST_CASE("an all-gather between two single GPUs is bound by their NICs") {
  // 5 MB is the knee between nodes, half goes over the wire: 2.5 MB at 25 GB/s.
  //   LL128  14 + 4 + 2.5 MB / (0.92 * 25 GB/s) = 18 + 108.696 us
  //   Simple 8.4 + 14 + 2.5 MB / 25 GB/s = 22.4 + 100 us  <- best
  const CollectiveCost cost =
      collective_cost(Collective::all_gather, Bytes::from_mb(5), across(2, 1, 450, 50));
  CHECK(cost.latency.us() == Approx(22.4));
  CHECK(cost.total.time.us() == Approx(122.4));
}

TEST_CASE("an all-to-all and a message, by hand") {
  // 4 ranks of 447 GB/s reach 447 * 4/4.47 = 400; each sends 3/4 of 13.85 MB (the knee: half rate):
  // 3.4 us + 10.3875 MB / 200 GB/s = 3.4 + 51.9375 us.
  CHECK(collective_cost(Collective::all_to_all, Bytes::from_mb(13.85), one_node(4, 447))
            .total.time.us() == Approx(55.3375));
  // 8.4 + 3.4 us + 0.5 MB / (100 GB/s / 2) = 11.8 + 10 us.
  CHECK(collective_cost(Collective::send_receive, Bytes::from_mb(0.5), one_node(2, 100))
            .total.time.us() == Approx(21.8));
}

TEST_CASE("one rank, or nothing to send") {
  CHECK(collective_cost(Collective::all_reduce, Bytes::from_mb(5), one_node(1, 400)).total.time ==
        Seconds());
  const CollectiveCost empty = collective_cost(Collective::all_reduce, Bytes(), one_node(4, 400));
  CHECK(empty.total.time == empty.latency);
}

TEST_CASE("the parts of a cost add up, more bytes take longer, nothing beats its links") {
  for (const Collective op : all_operations) {
    for (const GroupShape& shape : {one_node(2, 240), one_node(8, 371), across(2, 8, 371, 384),
                                    across(16, 8, 371, 384), across(64, 1, 371, 48)}) {
      Seconds before;
      for (double size = 256; size < 2e10; size *= 2) {
        INFO(name_of(op) << " of " << size << " bytes on " << shape.ranks << " ranks");
        const CollectiveCost cost = collective_cost(op, Bytes::from_double(size), shape);
        const double wire = size * bus_factor(op, shape.ranks) / cost.bus_rate.byte();
        CHECK(cost.total.time.s() == Approx(cost.latency.s() + wire).epsilon(1e-12));
        CHECK(cost.total.time > before);
        // A GPU sends no faster than its links; no in-switch reduction here.
        if (shape.nodes == 1) CHECK(cost.bus_rate <= shape.scale_up_rate);
        before = cost.total.time;
      }
    }
  }
}

TEST_CASE("faster links and shorter hops never make a collective slower") {
  for (const Collective op : all_operations) {
    for (double size = 1024; size < 1e10; size *= 8) {
      const GroupShape slow = across(4, 8, 200, 100);
      GroupShape fast = slow;
      fast.scale_up_rate = fast.scale_up_rate * 2;
      fast.network_rate = fast.network_rate * 2;
      fast.network_latency = fast.network_latency / 2;
      INFO(name_of(op) << " of " << size << " bytes");
      CHECK(collective_cost(op, Bytes::from_double(size), fast).total.time <=
            collective_cost(op, Bytes::from_double(size), slow).total.time);
    }
  }
}

}  // namespace
}  // namespace calibrate
