#include "sim/critical_path.hpp"

#include <cmath>
#include <string>
#include <vector>

#include "sim/analytic.hpp"
#include "sim/engine.hpp"
#include "tests/sim/random_step.hpp"
#include "tests/sim/small_step.hpp"
#include "tests/support/catch.hpp"

namespace sim {
namespace {

struct Seen {
  int rank = 0;
  std::uint32_t task = 0;
  double begin = 0;
  double end = 0;
};

void check_path(const std::vector<PathStep>& path, const std::vector<Seen>& expected) {
  REQUIRE(path.size() == expected.size());
  for (std::size_t i = 0; i < path.size(); ++i) {
    INFO("step " << i);
    CHECK(path[i].rank == expected[i].rank);
    CHECK(path[i].task == expected[i].task);
    CHECK(path[i].begin == Approx(expected[i].begin));
    CHECK(path[i].end == Approx(expected[i].end));
    CHECK(path[i].waited == Approx(0).margin(1e-12));
  }
}

double seconds_of(const std::vector<PathPart>& parts, const std::string& kind,
                  const std::string& rank_class) {
  for (const PathPart& part : parts)
    if (part.kind == kind && part.rank_class == rank_class) return part.time.s();
  return 0;
}

/// Two stages on two nodes, one micro-batch, forward 1 s and 2 s, backward 3 s on each; a message
/// takes 0.5 s:
///
///     stage 0   forward 0-1 | send 1-1.5 |            waits until 7            | backward 7-10
///     stage 1                            | forward 1.5-3.5 | backward 3.5-6.5  | send 6.5-7
///
/// While stage 0 idles (the bubble) the path goes over stage 1, so that no bubble is on it.
TEST_CASE("the path goes through the other stage while this one waits in the pipeline bubble") {
  const Machine machine{.nodes = 2, .gpus = 1};
  StepBuilder step(1, 1, 1, 2, machine);
  const auto segment = [&](double seconds, Phase phase) {
    Piece piece = StepBuilder::piece(seconds);
    piece.phase = phase;
    return step.segment({piece});
  };
  const int first = segment(1, Phase::forward);
  const int second = segment(2, Phase::forward);
  const int backward = segment(3, Phase::backward);
  const calibrate::CollectiveCost half = cost_of_time(0, 0.5);
  const int down = step.message("activation", 1, 1'000'000, half, half);
  const int from_above = step.message("activation", 0, 1'000'000, half, half);
  const int up = step.message("gradient", 0, 1'000'000, half, half);
  const int from_below = step.message("gradient", 1, 1'000'000, half, half);
  const auto f0 = step.task(0, TaskKind::run, Stream::compute, first, {}, 0);
  step.task(0, TaskKind::send, Stream::send, down, {f0}, 0);
  const auto got = step.task(0, TaskKind::receive, Stream::receive, from_below, {}, 0);
  step.task(0, TaskKind::run, Stream::compute, backward, {got}, 0);
  const auto received = step.task(1, TaskKind::receive, Stream::receive, from_above, {}, 0);
  const auto f1 = step.task(1, TaskKind::run, Stream::compute, second, {received}, 0);
  const auto b1 = step.task(1, TaskKind::run, Stream::compute, backward, {f1}, 0);
  step.task(1, TaskKind::send, Stream::send, up, {b1}, 0);

  const Timeline timeline = play(step, machine);
  CHECK(timeline.step.s() == Approx(10));
  const std::vector<PathStep> path = critical_path(step.graph(), timeline);
  check_path(path, {{0, 0, 0, 1},
                    {0, 1, 1, 1.5},
                    {1, 1, 1.5, 3.5},
                    {1, 2, 3.5, 6.5},
                    {1, 3, 6.5, 7},
                    {0, 3, 7, 10}});
  const std::vector<PathPart> parts = parts_of(path, step.graph(), timeline);
  CHECK(seconds_of(parts, "backward", "stage 0") == Approx(3));
  CHECK(seconds_of(parts, "backward", "stage 1") == Approx(3));
  CHECK(seconds_of(parts, "forward", "stage 0") == Approx(1));
  CHECK(seconds_of(parts, "forward", "stage 1") == Approx(2));
  CHECK(seconds_of(parts, "pipeline", "stage 0") == Approx(0.5));
  CHECK(seconds_of(parts, "pipeline", "stage 1") == Approx(0.5));
  CHECK(parts.size() == 6);
}

/// Two data-parallel ranks with programs of their own: rank 0 computes 1 s, rank 1 computes 4 s,
/// then both reduce for 2 s. Rank 0 waits from 1 to 4: the path is rank 1's computing.
TEST_CASE("before a collective comes what its last member did") {
  const Machine machine{.nodes = 2, .gpus = 1};
  StepBuilder step(1, 1, 2, 1, machine);
  const int use = step.collective(calibrate::Collective::all_reduce, strategies::Axis::data_shard,
                                  1'000'000, cost_of_time(0, 2));
  step.graph().collectives.back().kind = CommKind::data;
  const int quick = step.segment({StepBuilder::piece(1)});
  const int slow = step.segment({StepBuilder::piece(4)});
  const auto computed = step.task(0, TaskKind::run, Stream::compute, quick);
  step.task(0, TaskKind::collective, Stream::data_comm, use, {computed});
  step.own_program(1).tasks[0].index = static_cast<std::uint32_t>(slow);
  step.graph().programs.back().name = "slow";

  const Timeline timeline = play(step, machine);
  CHECK(timeline.step.s() == Approx(6));
  const std::vector<PathStep> path = critical_path(step.graph(), timeline);
  check_path(path, {{1, 0, 0, 4}, {0, 1, 4, 6}});
  const std::vector<PathPart> parts = parts_of(path, step.graph(), timeline);
  REQUIRE(parts.size() == 2);
  CHECK(parts[0].kind == "forward");  // the largest first
  CHECK(parts[0].rank_class == "slow");
  CHECK(parts[0].time.s() == Approx(4));
  CHECK(parts[1].kind == "data");
  CHECK(parts[1].time.s() == Approx(2));
  CHECK(parts[1].unseen.s() == Approx(0));  // each rank is the lowest of its program
}

/// 3 s of kernels and a collective of 2 s that they wait for: a segment of 5 s, divided.
TEST_CASE("a segment is divided into its kernels and what it waits for") {
  const Machine machine{.nodes = 1, .gpus = 2};
  StepBuilder step(2, 1, 1, 1, machine);
  const int use = step.collective(calibrate::Collective::all_reduce, strategies::Axis::tensor,
                                  1'000'000, cost_of_time(0, 2));
  step.task(0, TaskKind::run, Stream::compute,
            step.segment({StepBuilder::piece(3), StepBuilder::piece(0, use)}));
  const Timeline timeline = play(step, machine);
  CHECK(timeline.step.s() == Approx(5));
  const std::vector<PathPart> parts =
      parts_of(critical_path(step.graph(), timeline), step.graph(), timeline);
  REQUIRE(parts.size() == 2);
  CHECK(parts[0].kind == "forward");
  CHECK(parts[0].time.s() == Approx(3));
  CHECK(parts[1].kind == "tensor");
  CHECK(parts[1].time.s() == Approx(2));
}

/// Steps of a path touch each other or a wait that is told, begin at 0 and end with the step.
void check_sums(const StepGraph& graph, const Timeline& timeline) {
  const std::vector<PathStep> path = critical_path(graph, timeline);
  double now = 0;
  for (const PathStep& step : path) {
    CHECK(step.begin - step.waited == Approx(now).margin(1e-9));
    CHECK(step.waited >= -1e-9);
    CHECK(step.end >= step.begin);
    const Span& span = timeline.span(step.rank, step.task);
    CHECK(step.end == span.end);
    now = step.end;
  }
  CHECK(now == Approx(timeline.step.s()));
  double sum = 0;
  for (const PathPart& part : parts_of(path, graph, timeline)) {
    CHECK(part.unseen <= part.time);
    sum += part.time.s();
  }
  CHECK(sum == Approx(timeline.step.s()));
}

TEST_CASE("lengths and waits of the path add up to the step on random small steps") {
  for (unsigned seed = 1; seed <= 40; ++seed) {
    const bool crowded = seed % 2 == 0;
    INFO("seed " << seed);
    const RandomStep random = random_step(seed, crowded);
    check_sums(random.step.graph(), play(random.step, random.machine));
    check_sums(random.step.graph(), play(random.step, random.machine, {.fold = false}));
  }
}

TEST_CASE("… and on steps of plans, simulated and analytic, without a wait") {
  for (const strategies::Plan& plan : {plan_with(2, 2, 2, 4), plan_with(1, 4, 2, 8)}) {
    const Built built = build(gpt(4), plan);
    const Timeline timeline =
        simulate(built.graph, built.cluster, built.gpus, {.fidelity = Fidelity::hybrid});
    check_sums(built.graph, timeline);
    for (const PathStep& step : critical_path(built.graph, timeline))
      CHECK(step.waited == Approx(0).margin(1e-9));
    check_sums(built.graph, analyse(built.graph, built.cluster, built.gpus));
  }
}

}  // namespace
}  // namespace sim
