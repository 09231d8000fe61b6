// Prices of the backends that are formulas, worked by hand.

#include "calibrate/backends/hockney.hpp"
#include "tests/calibrate/backend_support.hpp"

namespace calibrate {
namespace {

using base::Bytes;
using base::BytesPerSecond;
using base::Seconds;

/// Ranks of 100 GB/s and 1 us in a node; a NIC of 10 GB/s for each, 10 us away.
GroupShape group(int nodes, int per_node) {
  GroupShape shape;
  shape.ranks = nodes * per_node;
  shape.nodes = nodes;
  shape.ranks_per_node = shape.nics = per_node;
  shape.scale_up_rate = BytesPerSecond::from_gbyte(100);
  shape.scale_up_latency = Seconds::from_us(1);
  shape.network_rate = BytesPerSecond::from_gbyte(10.0 * per_node);
  shape.network_latency = Seconds::from_us(10);
  return shape;
}

double us(const Backend& backend, Collective op, double mb, const GroupShape& shape) {
  return backend->cost(op, Bytes::from_mb(mb), shape).total.time.us();
}

TEST_CASE("rounds of doubling") {
  const std::array<std::pair<int, int>, 7> rounds{
      {{1, 0}, {2, 1}, {3, 2}, {4, 2}, {5, 3}, {8, 3}, {1024, 10}}};
  for (const auto& [count, wanted] : rounds) CHECK(backends::doubling_rounds(count) == wanted);
}

TEST_CASE("analytic takes the quickest closed form") {
  const Backend analytic = backend_of(named("analytic"));
  // 1 MB, 4 ranks. Ring: 6 us + 1.5 MB / 100 GB/s = 21 us. Recursive doubling: 2 (1 us + 10 us) =
  // 22 us. Halving and doubling: 4 us + 15 us = 19 us.
  CHECK(us(analytic, Collective::all_reduce, 1, group(1, 4)) == Approx(19));
  // Nothing to send: recursive doubling, 2 rounds.
  CHECK(us(analytic, Collective::all_reduce, 0, group(1, 4)) == Approx(2));
  // 40 MB, 2 x 4. Ring: 140 us + 1.75 x 40 MB / 40 GB/s = 1890 us. Halving and doubling: 2 (2 + 10)
  // us + 2 (30 MB / 100 GB/s + 20 MB / 40 GB/s) = 24 + 2 (300 + 500) = 1624 us. Hierarchical:
  // 2 (3 + 10) us + the same = 1626 us.
  CHECK(us(analytic, Collective::all_reduce, 40, group(2, 4)) == Approx(1624));
  // 3 x 4 is no power of two. Hierarchical: 2 (3 + 20) us + 2 (300 us + 2/3 x 40 MB / 40 GB/s) =
  // 46 + 1933.33 us. Ring: 220 us + 22/12 x 40 MB / 40 GB/s = 2053.33 us.
  CHECK(us(analytic, Collective::all_reduce, 40, group(3, 4)) == Approx(1979.333));
  // Ring all-gather: 3 us + 0.75 MB / 100 GB/s; by doubling 2 us + 7.5 us.
  CHECK(us(analytic, Collective::all_gather, 1, group(1, 4)) == Approx(9.5));
  // 3 us + 3 x 1 MB / 100 GB/s.
  CHECK(us(analytic, Collective::all_to_all, 4, group(1, 4)) == Approx(33));
  // Each of 4 ranks sends 4 of its 8 shares of 1 MB abroad: 7 x 10 us + 3 MB / 100 GB/s + 16 MB /
  // 40 GB/s.
  CHECK(us(analytic, Collective::all_to_all, 8, group(2, 4)) == Approx(500));
  // A pipelined chain, 3 us + 10 us; a binomial tree would be 2 (1 us + 10 us).
  CHECK(us(analytic, Collective::broadcast, 1, group(1, 4)) == Approx(13));
  CHECK(us(analytic, Collective::reduce, 0, group(1, 4)) == Approx(2));
  // Binomial: 2 us + 3 MB / 100 GB/s. Over two nodes the root's NIC lets half of it through:
  // 2 + 10 us + 2 MB / 10 GB/s + 1.5 MB / 100 GB/s.
  CHECK(us(analytic, Collective::gather, 4, group(1, 4)) == Approx(32));
  CHECK(us(analytic, Collective::scatter, 4, group(2, 4)) == Approx(227));
  CHECK(us(analytic, Collective::send_receive, 1, group(1, 2)) == Approx(11));
  CHECK(us(analytic, Collective::send_receive, 1, group(2, 1)) == Approx(110));
  CHECK(us(analytic, Collective::barrier, 0, group(2, 4)) == Approx(12));
}

TEST_CASE("xccl adds its own call and leaves a part of the links") {
  // 15 us + 4 us + 1.5 MB / 70 GB/s.
  CHECK(us(backend_of(named("xccl")), Collective::all_reduce, 1, group(1, 4)) == Approx(40.4286));
}

TEST_CASE("gloo goes through the memory of the host") {
  const Backend gloo = backend_of(named("gloo"));
  // 1 MB, 4 ranks, messages at 5 GB/s (copied twice at 10). Halving and doubling, or bcube: 4 x
  // 10 us + 1.5 MB / 5 GB/s = 340 us. Down and up: 2 x 10 us + 2 MB / 24 GB/s = 103.333 us.
  // Additions: 0.75 MB / 8 GB/s = 93.75 us.
  CHECK(us(gloo, Collective::all_reduce, 1, group(1, 4)) == Approx(537.083));
  // 3 ranks: bcube in one group of three, 2 x 2 x 10 us + 2 x 2/3 MB / 5 GB/s, as the ring; down
  // and up 103.333 us; additions 2/3 MB / 8 GB/s.
  CHECK(us(gloo, Collective::all_reduce, 1, group(1, 3)) == Approx(306.667 + 103.333 + 83.333));
  // Two ranks on two hosts, 10 GB/s NICs: 35 us + 0.5 MB / 10 GB/s; 20 us + 1.5 MB / 24 GB/s.
  CHECK(us(gloo, Collective::all_gather, 1, group(2, 1)) == Approx(85 + 82.5));
}

TEST_CASE("mpi chooses by size, and its price does not fall where it changes its mind") {
  const Backend mpi = backend_of(named("mpi"));
  const auto cost = [&](Collective op, std::int64_t bytes) {
    return mpi->cost(op, Bytes::from_count(bytes), group(1, 4)).total.time.us();
  };
  // 8 bytes by recursive doubling: 2 x 1 us; down and up 20 us; the bytes are nothing.
  CHECK(cost(Collective::all_reduce, 8) == Approx(22).margin(0.01));
  // 10 kB by ring: 6 us + 15 kB / 10 GB/s + 20 us + 20 kB / 24 GB/s + 7.5 kB / 8 GB/s.
  CHECK(cost(Collective::all_reduce, 10000) == Approx(6 + 1.5 + 20 + 0.8333 + 0.9375));
  // 1 MB broadcast in a chain: 3 us + 100 us + 20 us + 2 MB / 24 GB/s.
  CHECK(cost(Collective::broadcast, 1000000) == Approx(206.333));
  // The split tree below 370,728 bytes is slower than the chain above: 1.5 S against S.
  CHECK(cost(Collective::broadcast, 370728) == cost(Collective::broadcast, 370727));
  CHECK(cost(Collective::broadcast, 370727) == Approx(3 + 1.5 * 37.0727 + 20 + 2 * 370727 / 24e3));
}

TEST_CASE("ncclx is nccl but for the all-gathers that go both ways") {
  const Backend nccl = backend_of(named("nccl"));
  const Backend ncclx = backend_of(named("ncclx"));
  for (const GroupShape& shape : {group(1, 8), group(4, 8)}) {
    const double steps = nccl->cost(Collective::all_gather, Bytes(), shape).latency.us();
    for (const double mb : {0.001, 1.0, 4.0})
      CHECK(us(ncclx, Collective::all_gather, mb, shape) ==
            Approx(us(nccl, Collective::all_gather, mb, shape) - steps / 2));
    CHECK(us(ncclx, Collective::all_gather, 5, shape) ==
          us(nccl, Collective::all_gather, 5, shape));
    CHECK(us(ncclx, Collective::all_reduce, 1, shape) ==
          us(nccl, Collective::all_reduce, 1, shape));
  }
}

TEST_CASE("rccl is nccl where no switch adds") {
  GroupShape shape = group(1, 8);
  shape.in_switch_reduction = true;
  const double rccl = us(backend_of(named("rccl")), Collective::all_reduce, 100, shape);
  const Backend nccl = backend_of(named("nccl"));
  CHECK(rccl >= us(nccl, Collective::all_reduce, 100, shape));
  shape.in_switch_reduction = false;
  CHECK(rccl == us(nccl, Collective::all_reduce, 100, shape));
}

}  // namespace
}  // namespace calibrate
