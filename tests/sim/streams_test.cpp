#include <cmath>
#include <utility>
#include <vector>

#include "sim/engine/progress.hpp"
#include "sim/report.hpp"
#include "tests/sim/engine_support.hpp"
#include "tests/support/catch.hpp"

/// What runs beside what: communicators, streams, and kernels beside collectives.
namespace sim {
namespace {

using calibrate::Collective;
using engine::Progress;
using strategies::Axis;

calibrate::CollectiveCost taking(double time, double sms, double memory) {
  calibrate::CollectiveCost cost = cost_of_time(0, time);
  cost.sm_share = sms;
  cost.memory_share = memory;
  return cost;
}

const std::vector<engine::PlayOptions> all_ways{
    {}, {.coalesce = false}, {.fold = false}, {.private_as_durations = false}};

/// A kernel, an all-reduce of a tensor-parallel pair and the kernel again, and gradients reduced
/// beside them from the start.
struct AllReduceBetweenKernels {
  AllReduceBetweenKernels(double kernel, double wait, const calibrate::CollectiveCost& gradients)
      : step(2, 1, 2, 1, machine) {
    const int tensor =
        step.collective(Collective::all_reduce, Axis::tensor, 1'000'000, cost_of_time(0, wait));
    run = step.task(0, TaskKind::run, Stream::compute,
                    step.segment({StepBuilder::piece(kernel), StepBuilder::piece(0, tensor),
                                  StepBuilder::piece(kernel)}));
    reduce =
        step.task(0, TaskKind::collective, Stream::data_comm,
                  step.collective(Collective::all_reduce, Axis::data_shard, 1'000'000, gradients));
  }

  Machine machine{2, 2};
  StepBuilder step;
  std::uint32_t run = 0;
  std::uint32_t reduce = 0;
};

TEST_CASE("operations on one communicator run one after the other, of different ones at once") {
  // 2 x 2 ranks on four nodes. Two all-reduces of 4 ms among data-parallel pairs: 8 ms. One of them
  // among context-parallel pairs instead, a communicator and stream of its own: 4 ms.
  const Machine machine{4, 1};
  const bool same = GENERATE(true, false);
  StepBuilder step(1, 2, 2, 1, machine);
  const auto cost = cost_of_time(0, 4e-3);
  const int first = step.collective(Collective::all_reduce, Axis::data_shard, 1'000'000, cost);
  const int other = step.collective(Collective::all_reduce, Axis::context, 1'000'000, cost);
  step.task(0, TaskKind::collective, Stream::data_comm, first);
  step.task(0, TaskKind::collective, same ? Stream::data_comm : Stream::replica_comm,
            same ? first : other);
  CHECK(play(step, machine).step.ms() == Approx(same ? 8 : 4));
}

TEST_CASE("different communicators share the link between them") {
  // As above, 200 MB each way on NICs of 50 GB/s: 4 ms alone, 8 ms for two at once.
  const Machine machine{4, 1};
  StepBuilder step(1, 2, 2, 1, machine);
  const auto cost = cost_of_time(0, 4e-3);
  step.task(0, TaskKind::collective, Stream::data_comm,
            step.collective(Collective::all_reduce, Axis::data_shard, 200'000'000, cost));
  step.task(0, TaskKind::collective, Stream::replica_comm,
            step.collective(Collective::all_reduce, Axis::context, 200'000'000, cost));
  const bool fold = GENERATE(true, false);
  const Timeline timeline = play(step, machine, {.fold = fold});
  CHECK(timeline.step.ms() == Approx(8));
  CHECK(timeline.actors == (fold ? 1 : 4));
  // The NIC was asked for 100 of its 50 GB/s for 8 ms: half of them lost.
  const topology::LinkId nic = machine.port(0, Machine::Port::nic_out);
  CHECK(timeline.link_busy_s[nic] == Approx(8e-3));
  CHECK(timeline.link_lost_s[nic] == Approx(4e-3));
}

TEST_CASE("copies from and to the host run beside kernels and each other") {
  // Copies in of 2 and 3 ms, one after the other, and one out of 4 ms beside kernels of 1 and 1 ms,
  // of which the second waits for the first copy: 0-1 and 2-3; copies end at 2, 5 and 4 ms.
  const Machine machine{2, 1};
  StepBuilder step(1, 1, 2, 1, machine);
  const int kernel = step.segment({StepBuilder::piece(1e-3)});
  for (const double ms : {2.0, 3.0, 4.0})
    step.graph().copies.push_back(
        {"copy", CommKind::parameter, base::Bytes::from_count(1), {base::Seconds::from_ms(ms)}});
  step.task(0, TaskKind::run, Stream::compute, kernel);
  const auto first = step.task(0, TaskKind::copy, Stream::host_to_device, 0);
  const auto second = step.task(0, TaskKind::copy, Stream::host_to_device, 1);
  const auto out = step.task(0, TaskKind::copy, Stream::device_to_host, 2);
  const auto run = step.task(0, TaskKind::run, Stream::compute, kernel, {first});
  const Timeline timeline = play(step, machine);
  CHECK(timeline.span(0, second).end == Approx(5e-3));
  CHECK(timeline.span(0, out).end == Approx(4e-3));
  CHECK(timeline.span(0, run).begin == Approx(2e-3));
  CHECK(timeline.step.ms() == Approx(5));
  // Idle from 1 to 2 ms and from 3 to 5 ms, all of it copies.
  const Breakdown breakdown = break_down(step.graph(), timeline);
  CHECK(breakdown.parameter_exposed.ms() == Approx(3));
  CHECK(breakdown.bubble.ms() == Approx(0).margin(1e-9));
}

TEST_CASE("waiting holds up a stream and not the host") {
  // Kernel A (1 ms), then an all-reduce of 5 ms that waits for it; kernel B (2 ms) goes on at once,
  // kernel C (1 ms) waits for the all-reduce: A 0-1, all-reduce 1-6, B 1-3, C 6-7.
  const Machine machine{2, 1};
  StepBuilder step(1, 1, 2, 1, machine);
  const auto kernel = [&](double ms) { return step.segment({StepBuilder::piece(ms * 1e-3)}); };
  const auto a = step.task(0, TaskKind::run, Stream::compute, kernel(1));
  const auto reduce = step.task(
      0, TaskKind::collective, Stream::data_comm,
      step.collective(Collective::all_reduce, Axis::data_shard, 1'000'000, cost_of_time(0, 5e-3)),
      {a});
  const auto b = step.task(0, TaskKind::run, Stream::compute, kernel(2));
  const auto c = step.task(0, TaskKind::run, Stream::compute, kernel(1), {reduce});
  const Timeline timeline = play(step, machine);
  CHECK(timeline.span(0, reduce).begin == Approx(1e-3));
  CHECK(timeline.span(0, b).end == Approx(3e-3));
  CHECK(timeline.span(0, c).begin == Approx(6e-3));
  CHECK(timeline.step.ms() == Approx(7));
}

TEST_CASE("kernels beside a collective lose what it takes of the GPU") {
  // A kernel of 10 ms beside an all-reduce of 4 ms that takes a quarter of the SMs and half of the
  // memory bandwidth. Arithmetic: 3 ms done in 4, 7 left: 11 ms. Streaming: 2 done, 8 left: 12 ms.
  const Machine machine{2, 1};
  const bool streaming = GENERATE(false, true);
  StepBuilder step(1, 1, 2, 1, machine);
  Piece piece = StepBuilder::piece(10e-3);
  if (streaming) piece.streaming = piece.compute;
  const auto kernel = step.task(0, TaskKind::run, Stream::compute, step.segment({piece}));
  step.task(0, TaskKind::collective, Stream::data_comm,
            step.collective(Collective::all_reduce, Axis::data_shard, 1'000'000,
                            taking(4e-3, 0.25, 0.5)));
  const Timeline timeline = play(step, machine);
  CHECK(timeline.step.ms() == Approx(streaming ? 12 : 11));
  CHECK(timeline.span(0, kernel).slowed == Approx(streaming ? 2e-3 : 1e-3));
}

TEST_CASE("shares of collectives at once add up, and kernels keep a tenth in any case") {
  // Two communicators take 0.3 and 0.5 of the SMs for 4 ms: the kernel runs at 0.2, does 0.8 ms of
  // its 10, 9.2 left: 13.2 ms. With 0.6 and 0.7: at 0.1, 0.4 ms done: 13.6 ms.
  const Machine machine{4, 1};
  const auto [one, other, end] = GENERATE(std::tuple{0.3, 0.5, 13.2}, std::tuple{0.6, 0.7, 13.6});
  StepBuilder step(1, 2, 2, 1, machine);
  step.task(0, TaskKind::run, Stream::compute, step.segment({StepBuilder::piece(10e-3)}));
  step.task(0, TaskKind::collective, Stream::data_comm,
            step.collective(Collective::all_reduce, Axis::data_shard, 1'000, taking(4e-3, one, 0)));
  step.task(0, TaskKind::collective, Stream::replica_comm,
            step.collective(Collective::all_reduce, Axis::context, 1'000, taking(4e-3, other, 0)));
  CHECK(play(step, machine).step.ms() == Approx(end));
}

TEST_CASE("a segment with collectives of its own is slowed in its kernels only") {
  // Tensor-parallel pair: kernel 4 ms, all-reduce 2 ms, kernel 4 ms: 10 ms alone. Beside it, from 0
  // to 5 ms, gradients take half of the SMs: 2.5 ms of the first kernel are done by then, 1.5 left:
  // 6.5; all-reduce until 8.5; second kernel until 12.5 ms.
  AllReduceBetweenKernels at(4e-3, 2e-3, taking(5e-3, 0.5, 0));
  for (const engine::PlayOptions& options : all_ways) {
    const Timeline timeline = play(at.step, at.machine, options);
    CHECK(timeline.step.ms() == Approx(12.5));
    CHECK(timeline.span(0, at.run).slowed == Approx(2.5e-3));
  }
}

TEST_CASE("a kernel beside its own collective ends with the later of both") {
  // Kernel 4 ms and all-reduce 5 ms side by side; gradients take half of the SMs from 0 to 3 ms:
  // the kernel ends at 3 + 2.5 = 5.5 ms, half a millisecond after the all-reduce.
  const Machine machine{2, 2};
  StepBuilder step(2, 1, 2, 1, machine);
  const int tensor =
      step.collective(Collective::all_reduce, Axis::tensor, 1'000'000, cost_of_time(0, 5e-3));
  const auto run = step.task(0, TaskKind::run, Stream::compute,
                             step.segment({StepBuilder::piece(4e-3, tensor)}));
  step.task(
      0, TaskKind::collective, Stream::data_comm,
      step.collective(Collective::all_reduce, Axis::data_shard, 1'000'000, taking(3e-3, 0.5, 0)));
  const bool coalesce = GENERATE(true, false);
  const Timeline timeline = play(step, machine, {.coalesce = coalesce});
  CHECK(timeline.step.ms() == Approx(5.5));
  CHECK(timeline.span(0, run).slowed == Approx(0.5e-3));
}

TEST_CASE("the host that launches kernels is not slowed") {
  const Machine machine{2, 1};
  StepBuilder step(1, 1, 2, 1, machine);
  Piece host = StepBuilder::piece(10e-3);
  host.phase = Phase::host;
  step.task(0, TaskKind::run, Stream::compute, step.segment({host}));
  step.task(
      0, TaskKind::collective, Stream::data_comm,
      step.collective(Collective::all_reduce, Axis::data_shard, 1'000, taking(4e-3, 0.5, 0.5)));
  CHECK(play(step, machine).step.ms() == Approx(10));
}

TEST_CASE("progress changes its speed in the middle of a part") {
  // 2 ms of arithmetic and then 4 ms of streaming, 3 ms of waiting, 1 ms of arithmetic: 10 ms.
  const std::vector<Progress::Part> parts{{2, 4, 0}, {0, 0, 3}, {1, 0, 0}};
  Progress progress;
  progress.start(parts, 100);
  CHECK(progress.end() == Approx(110));
  // From 101: half speed for arithmetic, a quarter for streaming: 1 ms left takes 2, 4 take 16, the
  // wait 3, the last 2: 101 + 23.
  progress.set_speed(101, {0.5, 0.25});
  CHECK(progress.end() == Approx(124));
  // From 111 full speed again: 2 + 8 ms gone, 2 ms of streaming left: 111 + 2 + 3 + 1.
  progress.set_speed(111, {});
  CHECK(progress.end() == Approx(117));
  progress.set_speed(115, {0.1, 0.1});  // in the wait: 1 ms left, then 10
  CHECK(progress.end() == Approx(126));
}

TEST_CASE("progress tells what runs, and until when") {
  using Doing = Progress::Doing;
  const std::vector<Progress::Part> parts{{2, 4, 0}, {1, 0, 3}};
  Progress progress;
  progress.start(parts, 100);
  progress.set_speed(100, {0.5, 1});
  // Arithmetic of 2 s takes 4, then 4 of streaming; 1 of arithmetic takes 2 of the 3 of the last.
  const auto check = [&](double now, Doing doing, double until) {
    CHECK(progress.at(now).doing == doing);
    CHECK(progress.at(now).until == Approx(until));
  };
  check(100, Doing::arithmetic, 104);
  check(103, Doing::arithmetic, 104);
  check(104, Doing::streaming, 108);
  check(108, Doing::arithmetic, 110);
  check(110, Doing::nothing, 111);
  CHECK(progress.at(111).doing == Doing::nothing);
  CHECK(std::isinf(progress.at(111).until));
}

calibrate::CollectiveCost held_up(double time, double sms, double products, double memory) {
  calibrate::CollectiveCost cost = taking(time, sms, 0);
  cost.lost_to_products = products;
  cost.lost_to_memory = memory;
  return cost;
}

TEST_CASE("a collective beside kernels loses what they take of its speed") {
  // An all-reduce of 4 ms that loses half of its speed to products and three quarters to copies,
  // inside a node and across. Beside a product of 3 ms: 1.5 ms done, 2.5 left: 5.5 ms. Beside a
  // copy of 3 ms: 0.75 done: 6.25 ms. Beside a product of 20 ms: 8 ms. Beside the host: 4 ms.
  const Machine machine = GENERATE(Machine{2, 1}, Machine{1, 2});
  struct Case {
    double kernel;
    Phase phase;
    bool streaming;
    double end;
  };
  for (const Case& one : {Case{3, Phase::forward, false, 5.5}, Case{3, Phase::forward, true, 6.25},
                          Case{20, Phase::forward, false, 8}, Case{3, Phase::host, false, 4}}) {
    StepBuilder step(1, 1, 2, 1, machine);
    Piece piece = StepBuilder::piece(one.kernel * 1e-3);
    piece.phase = one.phase;
    if (one.streaming) piece.streaming = piece.compute;
    const auto kernel = step.task(0, TaskKind::run, Stream::compute, step.segment({piece}));
    const auto reduce = step.task(0, TaskKind::collective, Stream::data_comm,
                                  step.collective(Collective::all_reduce, Axis::data_shard,
                                                  1'000'000, held_up(4e-3, 0, 0.5, 0.75)));
    for (const engine::PlayOptions& options : all_ways) {
      const Timeline timeline = play(step, machine, options);
      CHECK(timeline.span(0, reduce).end == Approx(one.end * 1e-3));
      CHECK(timeline.span(1, reduce).slowed == Approx((one.end - 4) * 1e-3).margin(1e-9));
      CHECK(timeline.span(0, kernel).end == Approx(one.kernel * 1e-3));
    }
  }
}

TEST_CASE("kernels and collectives slow each other down") {
  // An all-reduce of 2 ms takes half of the SMs and loses half of its speed to products. Kernels:
  // 3 ms, a wait of 1 ms for another collective, 3 ms. The all-reduce is over after 4 ms, 2 ms of
  // the first kernel are done: 5; waiting until 6, second kernel until 9 ms.
  AllReduceBetweenKernels at(3e-3, 1e-3, held_up(2e-3, 0.5, 0.5, 0));
  for (const engine::PlayOptions& options : all_ways) {
    const Timeline timeline = play(at.step, at.machine, options);
    CHECK(timeline.span(0, at.reduce).end == Approx(4e-3));
    CHECK(timeline.span(0, at.reduce).slowed == Approx(2e-3));
    CHECK(timeline.span(0, at.run).end == Approx(9e-3));
    CHECK(timeline.span(0, at.run).slowed == Approx(2e-3));
  }
}

TEST_CASE("a collective is as slow as the member whose kernels hold it up most, while they do") {
  // Two ranks; rank 1 alone has a kernel, from 0 to 3 ms. An all-reduce of 4 ms that loses half to
  // it: 1.5 ms done by then: 5.5 ms, on both.
  const Machine machine{2, 1};
  StepBuilder step(1, 1, 2, 1, machine);
  const auto use = step.collective(Collective::all_reduce, Axis::data_shard, 1'000'000,
                                   held_up(4e-3, 0, 0.5, 0));
  const auto reduce = step.task(0, TaskKind::collective, Stream::data_comm, use);
  step.own_program(1);
  const int kernel = step.segment({StepBuilder::piece(3e-3)});
  step.task(1, TaskKind::run, Stream::compute, kernel);
  const Timeline timeline = play(step, machine);
  CHECK(timeline.span(0, reduce).end == Approx(5.5e-3));
  CHECK(timeline.span(1, reduce).end == Approx(5.5e-3));
}

TEST_CASE("a collective that waits for a link has no use for what kernels hold") {
  // Two of 4 ms share a NIC, 8 ms. One loses a quarter of its speed to a kernel of 16 ms: 5.33 ms
  // of work, which is done when the bytes are there. If it loses three quarters: 16 ms.
  const Machine machine{4, 1};
  const auto [lost, end] = GENERATE(std::pair{0.25, 8.0}, std::pair{0.75, 16.0});
  StepBuilder step(1, 2, 2, 1, machine);
  step.task(0, TaskKind::run, Stream::compute, step.segment({StepBuilder::piece(16e-3)}));
  const auto reduce = step.task(0, TaskKind::collective, Stream::data_comm,
                                step.collective(Collective::all_reduce, Axis::data_shard,
                                                200'000'000, held_up(4e-3, 0, lost, 0)));
  step.task(
      0, TaskKind::collective, Stream::replica_comm,
      step.collective(Collective::all_reduce, Axis::context, 200'000'000, cost_of_time(0, 4e-3)));
  const Timeline timeline = play(step, machine);
  CHECK(timeline.span(0, reduce).end == Approx(end * 1e-3));
  CHECK(timeline.span(0, reduce).slowed == Approx((end - 8) * 1e-3).margin(1e-8));
}

}  // namespace
}  // namespace sim
