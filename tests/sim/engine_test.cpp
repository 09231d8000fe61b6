#include "sim/engine.hpp"

#include <sys/wait.h>

#include <cerrno>
#include <cmath>

#include "base/check.hpp"
#include "calibrate/profile.hpp"
#include "sim/analytic.hpp"
#include "tests/sim/engine_support.hpp"
#include "tests/support/catch.hpp"
#include "tests/topology/support.hpp"

namespace sim {
namespace {

using calibrate::Collective;
using strategies::Axis;

constexpr std::int64_t mib = 1 << 20;

/// All ranks of 2 nodes x 8 GPUs in one data-parallel group do one collective.
Timeline lone_collective(Collective op, std::int64_t bytes, const Machine& machine,
                         const calibrate::CollectiveCost& cost, bool flow) {
  const int ranks = machine.nodes * machine.gpus;
  StepBuilder step(1, 1, ranks, 1, machine);
  const int use = step.collective(op, Axis::data_shard, bytes, cost);
  step.task(0, TaskKind::collective, Stream::data_comm, use);
  return play(step, machine, {.private_as_durations = !flow});
}

TEST_CASE("a collective alone takes its price") {
  const auto op = GENERATE(Collective::all_reduce, Collective::all_gather,
                           Collective::reduce_scatter, Collective::broadcast, Collective::reduce);
  const bool flow = GENERATE(false, true);
  // W bytes cross from node to node on 8 NICs of 50 GB/s and leave each GPU over NVLink at up to
  // 7/8 W. At 320 GB/s bus bandwidth a NIC carries 40 of its 50 GB/s: nothing is in the way.
  const std::int64_t bytes = 256 * mib;
  const double wire = static_cast<double>(bytes) * calibrate::bus_factor(op, 16) / 320e9;
  const Timeline timeline =
      lone_collective(op, bytes, {2, 8}, cost_of_time(20e-6, 20e-6 + wire), flow);
  CHECK(timeline.step.s() == Approx(20e-6 + wire).epsilon(1e-6));
  CHECK(timeline.shared_transfers == 0);
}

TEST_CASE("a ring alone is as slow as the links that its price forgot") {
  // all-reduce of 16 ranks: W = 2 x 15/16 x 256 MiB = 503,316,480 bytes, over 8 NICs of 50 GB/s
  // 1.2583 ms; the price says 800 GB/s, 0.629 ms.
  const double wire = 503316480.0 / 800e9;
  const bool flow = GENERATE(false, true);
  const Timeline timeline = lone_collective(Collective::all_reduce, 256 * mib, {2, 8},
                                            cost_of_time(20e-6, 20e-6 + wire), flow);
  CHECK(timeline.step.s() == Approx(20e-6 + 503316480.0 / 400e9).epsilon(1e-3));
  CHECK(timeline.shared_transfers > 0);
}

TEST_CASE("an all-to-all alone is limited by the NIC") {
  // 2 nodes x 2 GPUs, 64 MiB a rank: 16 MiB to each other rank, of which two are across: 32 MiB out
  // of each NIC at 50 GB/s: 671.1 us. The price says 100 us.
  const Timeline timeline =
      lone_collective(Collective::all_to_all, 64 * mib, {2, 2}, cost_of_time(0, 100e-6), true);
  CHECK(timeline.step.us() == Approx(32.0 * mib / 50e9 * 1e6).epsilon(1e-3));
}

TEST_CASE("no collective beats its bandwidth bound, whatever the price says") {
  const auto op = GENERATE(Collective::all_reduce, Collective::all_gather,
                           Collective::reduce_scatter, Collective::all_to_all,
                           Collective::broadcast, Collective::reduce, Collective::send_receive);
  const auto [nodes, gpus] =
      GENERATE(std::pair{2, 1}, std::pair{2, 4}, std::pair{3, 2}, std::pair{5, 1}, std::pair{4, 8});
  const double price = GENERATE(1e-9, 1e-6, 1e-3);
  const bool flow = GENERATE(false, true);
  const std::int64_t bytes = 16 * mib;
  const Timeline timeline = lone_collective(op, bytes, {nodes, gpus}, cost_of_time(0, price), flow);
  // What has to leave or enter a node, over all its NICs.
  const double share = static_cast<double>(bytes);
  const double ranks = nodes * gpus;
  double least = share;  // broadcast, reduce: the buffer, once
  if (op == Collective::all_to_all) least = share * gpus * (ranks - gpus) / ranks;
  if (op == Collective::all_gather || op == Collective::reduce_scatter)
    least = share * (nodes - 1) / nodes;
  if (op == Collective::all_reduce) least = share * 2 * (nodes - 1) / nodes;
  if (op == Collective::send_receive) least = share;
  const double nics = op == Collective::send_receive ? 1 : gpus;
  CHECK(timeline.step.s() >= least / (nics * nic_rate) * (1 - 1e-5));
  CHECK(timeline.step.s() >= price * (1 - 1e-5));
}

TEST_CASE("two groups on one uplink take twice as long as one") {
  // 2 nodes x 2 GPUs, tensor parallel 2 inside: two data-parallel pairs, each 1 GB each way
  // (all-gather of 2 GB: 1/2 x 2 GB) through one uplink of 50 GB/s: 1 GB / 50 GB/s = 20 ms alone.
  const Machine machine{2, 2, 50e9};
  const auto step_with = [&](bool both) {
    StepBuilder step(2, 1, 2, 1, machine);
    const int use = step.collective(Collective::all_gather, Axis::data_shard, 2'000'000'000,
                                    cost_of_time(0, 20e-3));
    step.task(0, TaskKind::collective, Stream::data_comm, use);
    if (!both) {
      for (const int rank : {1, 3}) step.own_program(rank).tasks.clear();
    }
    return play(step, machine).step.ms();
  };
  CHECK(step_with(false) == Approx(20).epsilon(1e-3));
  CHECK(step_with(true) == Approx(40).epsilon(1e-3));
}

TEST_CASE("a transfer that is joined half way finishes its first half alone") {
  // Pairs (0,2) and (1,3) as above, but rank 1 comes 10 ms late. First 10 ms: half of the first
  // pair's 1 GB. Then both at half rate: the first ends 20 ms later, at 30 ms; the second has half
  // left, alone: 10 ms, ends at 40 ms.
  const Machine machine{2, 2, 50e9};
  StepBuilder step(2, 1, 2, 1, machine);
  const int use = step.collective(Collective::all_gather, Axis::data_shard, 2'000'000'000,
                                  cost_of_time(0, 20e-3));
  const int wait = step.segment({StepBuilder::piece(10e-3)});
  const int nothing = step.segment({StepBuilder::piece(0)});
  const auto first = step.task(0, TaskKind::run, Stream::compute, nothing);
  step.task(0, TaskKind::collective, Stream::data_comm, use, {first});
  step.own_program(1).tasks[0].index = static_cast<std::uint32_t>(wait);
  const Timeline timeline = play(step, machine);
  CHECK(timeline.span(0, 1).end == Approx(30e-3).epsilon(1e-3));
  CHECK(timeline.span(1, 1).ready == Approx(10e-3));
  CHECK(timeline.span(3, 1).ready == 0);
  CHECK(timeline.span(3, 1).begin == Approx(10e-3));
  CHECK(timeline.span(1, 1).end == Approx(40e-3).epsilon(1e-3));
}

TEST_CASE("link bytes count every hop, and what stays inside is counted apart") {
  // Tensor parallel 2 inside (all-reduce of 1 MB: each of 2 members sends 2 x 1/2 x 1 MB), data
  // parallel 2 across (all-reduce of 4 MB: 4 MB each way on each rail).
  const Machine machine{2, 2};
  StepBuilder step(2, 1, 2, 1, machine);
  const int tensor =
      step.collective(Collective::all_reduce, Axis::tensor, 1'000'000, cost_of_time(0, 1e-3));
  const int data =
      step.collective(Collective::all_reduce, Axis::data_shard, 4'000'000, cost_of_time(0, 1e-3));
  const auto run = step.task(0, TaskKind::run, Stream::compute,
                             step.segment({StepBuilder::piece(1e-3, tensor)}));
  step.task(0, TaskKind::collective, Stream::data_comm, data, {run});
  const bool flow = GENERATE(false, true);
  const Timeline timeline = play(step, machine, {.private_as_durations = !flow});
  CHECK(timeline.step.s() == Approx(2e-3));
  CHECK(timeline.private_bytes == (flow ? 0 : 4e6));
  for (topology::GpuId gpu = 0; gpu < 4; ++gpu) {
    CHECK(timeline.link_bytes[machine.port(gpu, Machine::Port::nic_out)] == 4e6);
    CHECK(timeline.link_bytes[machine.port(gpu, Machine::Port::nic_in)] == 4e6);
    CHECK(timeline.link_bytes[machine.port(gpu, Machine::Port::nvlink_out)] == (flow ? 1e6 : 0));
  }
}

TEST_CASE("a message leaves when it is ready and is received when both are there") {
  // Stage 0 works 1 ms and sends 50 MB over a NIC at 50 GB/s (1 ms) plus 0.1 ms latency: arrives at
  // 2.1 ms. Stage 1 works 3 ms before it receives (late) or not at all (early).
  const Machine machine{2, 1};
  const bool late = GENERATE(false, true);
  StepBuilder step(1, 1, 1, 2, machine);
  const auto price = cost_of_time(0.1e-3, 1.1e-3);
  const int work = step.segment({StepBuilder::piece(1e-3)});
  const int long_work = step.segment({StepBuilder::piece(3e-3)});
  const auto made = step.task(0, TaskKind::run, Stream::compute, work);
  step.task(0, TaskKind::send, Stream::send,
            step.message("activation", 1, 50'000'000, price, price), {made}, 0);
  std::vector<std::uint32_t> after;
  if (late) after.push_back(step.task(1, TaskKind::run, Stream::compute, long_work));
  const auto received =
      step.task(1, TaskKind::receive, Stream::receive,
                step.message("activation", 0, 50'000'000, price, price), after, 0);
  step.task(1, TaskKind::run, Stream::compute, work, {received});
  const Timeline timeline = play(step, machine);
  CHECK(timeline.span(0, 1).ready == Approx(1e-3));
  CHECK(timeline.span(0, 1).end == Approx(2.1e-3));
  CHECK(timeline.span(1, received).ready == Approx(late ? 3e-3 : 0));
  CHECK(timeline.span(1, received).begin == Approx(late ? 3e-3 : 1e-3));
  CHECK(timeline.span(1, received).end == Approx(late ? 3e-3 : 2.1e-3));
  CHECK(timeline.step.s() == Approx(late ? 4e-3 : 3.1e-3));
}

TEST_CASE("a crash of the simulation is an error here and leaves no zombie") {
  // A collective that only one of its two members calls can never begin.
  const Machine machine{2, 1};
  StepBuilder step(1, 1, 2, 1, machine);
  const int use =
      step.collective(Collective::all_reduce, Axis::data_shard, mib, cost_of_time(0, 1e-3));
  step.task(0, TaskKind::collective, Stream::data_comm, use);
  step.own_program(1).tasks.clear();
  CHECK_THROWS_WITH(engine::play_in_child(step.graph(), machine.fabric(), in_order(2), {}),
                    Catch::Contains("the simulation process ended early: signal 6"));
  engine::Fabric torn = machine.fabric();
  torn.route = [](topology::GpuId, topology::GpuId, std::vector<topology::Route>&) {
    return false;
  };
  StepBuilder whole(1, 1, 2, 1, machine);
  whole.task(
      0, TaskKind::collective, Stream::data_comm,
      whole.collective(Collective::all_reduce, Axis::data_shard, mib, cost_of_time(0, 1e-3)));
  CHECK_THROWS_WITH(engine::play_in_child(whole.graph(), torn, in_order(2), {}),
                    "the cluster has no path from GPU 0 to GPU 1");
  errno = 0;
  CHECK(waitpid(-1, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
}

TEST_CASE("on a real cluster a lone all-reduce takes its price, for every seed and again") {
  // Two nodes of eight H100, 256 MiB: W = 2 x 15/16 x 256 MiB = 503.3 MB a rank, at 320 GB/s
  // 1.573 ms plus 20 us. A rail carries 40 GB/s and a GPU's NVLink 280 GB/s: both can.
  const base::Result<topology::Cluster> cluster =
      topology::cluster_from("nodes: {type: dgx-h100, count: 2}\nfabric: {kind: rail_optimized}\n");
  REQUIRE(cluster);
  StepBuilder step(1, 1, 16, 1, {2, 8});
  const double price = 20e-6 + 503316480.0 / 320e9;
  step.task(0, TaskKind::collective, Stream::data_comm,
            step.collective(Collective::all_reduce, Axis::data_shard, 256 * mib,
                            cost_of_time(20e-6, price)));
  const auto fidelity = GENERATE(Fidelity::hybrid, Fidelity::flow);
  for (const std::uint64_t seed : {0U, 1U}) {
    const EngineOptions options{
        .fidelity = fidelity, .routing = {.ecmp_seed = seed}, .progress = {}};
    const Timeline once = simulate(step.graph(), *cluster, in_order(16), options);
    const Timeline again = simulate(step.graph(), *cluster, in_order(16), options);
    CHECK(once.step.s() == Approx(price).epsilon(1e-6));
    CHECK(once.step == again.step);
    CHECK(once.link_bytes == again.link_bytes);
    CHECK(analyse(step.graph(), *cluster, in_order(16)).step.s() == Approx(price));
  }
}

TEST_CASE("a transfer beyond what SimGrid can count is an error, not another size") {
  // Two pairs share an uplink as above, with 4e16 bytes each way: more than 2^64 / 1024.
  const Machine machine{2, 2, 50e9};
  StepBuilder step(2, 1, 2, 1, machine);
  step.task(0, TaskKind::collective, Stream::data_comm,
            step.collective(Collective::all_gather, Axis::data_shard, 80'000'000'000'000'000,
                            cost_of_time(0, 8e5)));
  CHECK_THROWS_WITH(engine::play_in_child(step.graph(), machine.fabric(), in_order(4), {}),
                    "a transfer of 4e+16 bytes is more than the simulation can count");
}

TEST_CASE("progress comes to the caller") {
  const Machine machine{1, 1};
  StepBuilder step(1, 1, 1, 1, machine);
  const int work = step.segment({StepBuilder::piece(1e-6)});
  for (int i = 0; i < 100'000; ++i) step.task(0, TaskKind::run, Stream::compute, work);
  std::vector<double> seen;
  engine::PlayOptions options;
  options.progress = [&](double share) { seen.push_back(share); };
  CHECK(play(step, machine, options).step.s() == Approx(0.1));
  REQUIRE(seen.size() >= 2);
  CHECK(std::is_sorted(seen.begin(), seen.end()));
  CHECK(seen.back() <= 1);
}

}  // namespace
}  // namespace sim
