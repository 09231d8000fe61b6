#include <cmath>
#include <vector>

#include "calibrate/backends/nccl.hpp"
#include "calibrate/nccl/machine.hpp"
#include "tests/calibrate/backend_support.hpp"

namespace calibrate {
namespace {

using base::Bytes;
using base::BytesPerSecond;
using base::Seconds;

std::unique_ptr<CollectiveBackend> backend(const NcclOptions& options = {}) {
  auto made = make_nccl_backend(options);
  INFO((made ? "" : text_of(made.error())));
  REQUIRE(made);
  return std::move(*made);
}

/// The same without a machine.
GroupShape made_up(GroupShape shape) {
  shape.node = nullptr;
  shape.gpu = nullptr;
  return shape;
}

constexpr std::array all_operations{Collective::all_reduce,     Collective::all_gather,
                                    Collective::reduce_scatter, Collective::all_to_all,
                                    Collective::broadcast,      Collective::reduce,
                                    Collective::gather,         Collective::scatter,
                                    Collective::send_receive,   Collective::barrier};

std::vector<GroupShape> shapes() {
  std::vector<GroupShape> all{shape_on("dgx-h100", 1, 2),       shape_on("dgx-h100", 1, 8),
                              shape_on("dgx-h100", 2, 1),       shape_on("dgx-h100", 4, 8),
                              shape_on("p5.48xlarge", 64, 8),   shape_on("dgx-a100", 1, 5),
                              shape_on("polaris", 8, 4),        shape_on("p4d.24xlarge", 2, 8),
                              shape_on("dgx-b200", 2, 8),       shape_on("gb300-nvl72", 2, 72),
                              shape_on("mi300x-8", 4, 8),       shape_on("mi300x-8", 1, 2),
                              shape_on("g6e.48xlarge", 2, 8),   shape_on("rtx-4090-8", 1, 4),
                              shape_on("dgx-1v", 1, 3),         shape_on("dgx-2", 2, 16),
                              shape_on("a3-highgpu-8g", 16, 8), shape_on("gb200-tray", 9, 4)};
  const std::size_t named = all.size();
  for (std::size_t i = 0; i < named; ++i) all.push_back(made_up(all[i]));
  return all;
}

TEST_CASE("groups of a DGX H100 cost what NCCL's tuning unit says") {
  const auto nccl = backend();
  const auto one = shape_on("dgx-h100", 1, 8);
  const CollectiveCost gib = nccl->cost(Collective::all_reduce, Bytes::from_gib(1), one);
  CHECK(gib.total.time.us() == Approx(3972.6).epsilon(0.001));
  CHECK(gib.latency.us() == Approx(25));
  CHECK(gib.algorithm == CollectiveAlgorithm::nvls);
  CHECK(gib.protocol == Protocol::simple);
  CHECK(gib.channels == 16);
  // 272 GB/s of the buffer are 272 * 2 * 7/8 = 476 GB/s of bus bandwidth.
  CHECK(gib.bus_rate.gbyte() == Approx(476).epsilon(0.001));
  const CollectiveCost four =
      nccl->cost(Collective::all_reduce, Bytes::from_mib(16), shape_on("dgx-h100", 4, 8));
  CHECK(four.total.time.us() == Approx(197.9).epsilon(0.001));
  CHECK(four.algorithm == CollectiveAlgorithm::nvls_tree);
  const CollectiveCost gather =
      nccl->cost(Collective::all_gather, Bytes::from_mib(256), shape_on("dgx-h100", 128, 8));
  CHECK(gather.total.time.us() == Approx(3137.8).epsilon(0.001));
  CHECK(gather.protocol == Protocol::ll128);
  const CollectiveCost a100 =
      nccl->cost(Collective::all_reduce, Bytes::from_mib(16), shape_on("dgx-a100", 4, 8));
  CHECK(a100.total.time.us() == Approx(344.8).epsilon(0.001));
}

TEST_CASE("a machine known by its rates alone is priced as what the rates suggest") {
  const auto nccl = backend();
  for (const char* type : {"dgx-h100", "dgx-b200"})
    for (const int nodes : {1, 4}) {
      const GroupShape named = shape_on(type, nodes, 8);
      for (double bytes = 64; bytes < 1e10; bytes *= 7)
        CHECK(
            nccl->cost(Collective::all_reduce, Bytes::from_double(bytes), named).total.time.us() ==
            Approx(nccl->cost(Collective::all_reduce, Bytes::from_double(bytes), made_up(named))
                       .total.time.us()));
    }
}

TEST_CASE("a group of one costs nothing, others something finite") {
  const auto nccl = backend();
  for (const Collective op : all_operations)
    CHECK(nccl->cost(op, Bytes::from_gib(1), shape_on("dgx-h100", 1, 1)).total.time.s() == 0);
  for (const GroupShape& shape : shapes())
    for (const Collective op : all_operations)
      for (const double bytes : {0.0, 1.0, 1e6, 9e18}) {
        INFO(base::name_of(op) << " " << bytes << " on " << shape.nodes << " x "
                               << shape.ranks_per_node);
        REQUIRE(nccl->supports(op));
        const CollectiveCost cost = nccl->cost(op, Bytes::from_double(bytes), shape);
        CHECK(cost.latency.s() > 0);
        CHECK(std::isfinite(cost.total.time.s()));
        CHECK(cost.total.time >= cost.latency);
        CHECK(cost.bus_rate.byte() > 0);
        CHECK(cost.channels >= 1);
        if (op == Collective::barrier || bytes == 0) continue;
        const double wire = bytes * base::bus_factor(op, shape.ranks);
        CHECK(cost.total.time.s() ==
              Approx(cost.latency.s() + wire / cost.bus_rate.byte()).epsilon(1e-9));
      }
}

TEST_CASE("more bytes never cost less") {
  const auto nccl = backend();
  for (const GroupShape& shape : shapes())
    for (const Collective op : all_operations) {
      INFO(base::name_of(op) << " on " << shape.nodes << " x " << shape.ranks_per_node);
      Seconds last;
      bool grows = true;
      for (double bytes = 0; bytes < 1e11; bytes = bytes * 1.05 + 1) {
        const Seconds time = nccl->cost(op, Bytes::from_double(bytes), shape).total.time;
        grows = grows && time >= last;
        last = time;
      }
      CHECK(grows);
    }
}

TEST_CASE("options: versions, algorithms and protocols") {
  CHECK(backend()->description() == "NCCL 2.28 tuning model");
  CHECK(backend({.version = "2.30.7"})->description() == "NCCL 2.30 tuning model");
  CHECK(backend()->name() == "nccl");
  const auto rings = backend({.algorithms = "ring", .protocols = "simple"});
  const GroupShape shape = shape_on("dgx-h100", 1, 8);
  const CollectiveCost cost = rings->cost(Collective::all_reduce, Bytes::from_kib(1), shape);
  CHECK(cost.algorithm == CollectiveAlgorithm::ring);
  CHECK(cost.protocol == Protocol::simple);
  CHECK(rings->obeys(Collective::all_reduce, shape));

  const auto trees = backend({.algorithms = "tree"});
  CHECK(trees->obeys(Collective::all_reduce, shape));
  CHECK_FALSE(trees->obeys(Collective::broadcast, shape));
  CHECK(trees->obeys(Collective::all_to_all, shape));  // not chosen from the table

  const auto in_switch = backend({.algorithms = "nvls"});
  CHECK(in_switch->obeys(Collective::all_reduce, shape));
  const GroupShape a100 = shape_on("dgx-a100", 1, 8);
  CHECK_FALSE(in_switch->obeys(Collective::all_reduce, a100));
  CHECK(in_switch->cost(Collective::all_reduce, Bytes::from_mib(1), a100).total.time ==
        backend()->cost(Collective::all_reduce, Bytes::from_mib(1), a100).total.time);

  const auto broken = make_nccl_backend({.version = "2.3", .algorithms = "rin"});
  REQUIRE_FALSE(broken);
  CHECK(text_of(broken.error()) ==
        "foreshard: error: no constants of NCCL '2.3' (did you mean '2.30'?)\n"
        "NCCL_ALGO:1:1: error: unknown algorithm 'rin' (did you mean 'ring'?)\n");
}

TEST_CASE("imported graphs are used for the groups that they were found for") {
  topology::NcclGraphs graphs;
  graphs.ring.channels = 12;
  graphs.ring.speed_intra = graphs.ring.speed_inter = 15;  // half of what the search would find
  graphs.tree = graphs.ring;
  graphs.tree.pattern = topology::NcclPattern::balanced_tree;
  graphs.gpus_per_node = 8;
  const auto nccl = backend({.graphs = graphs});
  const auto gather = [&](const GroupShape& shape) {
    return nccl->cost(Collective::all_gather, Bytes::from_gib(1), shape).bus_rate.gbyte();
  };
  CHECK(gather(shape_on("dgx-h100", 1, 8)) == Approx(180));
  CHECK(gather(shape_on("dgx-h100", 1, 4)) == Approx(360));
  CHECK(gather(shape_on("dgx-h100", 2, 8)) == Approx(384));
  CHECK(nccl->description() == "NCCL 2.28 tuning model on imported graphs");
}

TEST_CASE("a barrier is the all-reduce of a word") {
  const auto nccl = backend();
  const GroupShape shape = shape_on("dgx-h100", 4, 8);
  const CollectiveCost barrier = nccl->cost(Collective::barrier, Bytes(), shape);
  CHECK(barrier.total.time ==
        nccl->cost(Collective::all_reduce, Bytes::from_count(4), shape).total.time);
}

}  // namespace
}  // namespace calibrate
