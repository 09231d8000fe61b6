#include "sim/what_if.hpp"

#include <algorithm>
#include <vector>

#include "sim/analytic.hpp"
#include "tests/sim/small_step.hpp"
#include "tests/support/catch.hpp"

namespace sim {
namespace {

double step_of(const Built& built, Fidelity fidelity = Fidelity::hybrid) {
  return simulate(built.graph, built.cluster, built.gpus, {.fidelity = fidelity}).step.s();
}

double step_with(Change change, const Built& built, Fidelity fidelity = Fidelity::hybrid) {
  return step_with(change, built.graph, built.cluster, built.gpus, {.fidelity = fidelity}).s();
}

/// 1.1 s of kernels, then an all-reduce in each data-parallel group of 16 ranks on two nodes, in
/// place of what they did.
Built only_all_reduce(double latency, double wire, int tensor = 4) {
  Built built = build(gpt(2), plan_with(tensor, 1, 16 / tensor, 1));
  StepGraph& graph = built.graph;
  graph.collectives = {{.name = "all-reduce",
                        .kind = CommKind::data,
                        .axes = strategies::data_parallel,
                        .bytes = base::Bytes::from_gib(1)}};
  calibrate::CollectiveCost cost;
  cost.latency = base::Seconds::from_s(latency);
  cost.total.time = base::Seconds::from_s(latency + wire);
  graph.collectives[0].cost.assign(graph.groups_of(strategies::data_parallel).shapes.size(), cost);
  Piece kernel;
  kernel.compute = base::Seconds::from_s(1.1);
  kernel.kernel_count = 1;
  graph.segments = {{"forward", Phase::forward, {kernel}, kernel.compute}};
  Program program{.name = "stage 0"};
  const auto computed = add_task(program, {}, {});
  add_task(program, {.kind = TaskKind::collective, .stream = Stream::data_comm}, {computed});
  graph.programs = {program};
  return built;
}

// Alone, an all-reduce of 0.1 s latency and 2 s on the wire: 1.1 + 0.1 + 2 = 3.2 s a step.
TEST_CASE("a bandwidth-bound all-reduce halves with links twice as fast") {
  const Built built = only_all_reduce(0.1, 2);
  CHECK(step_of(built) == Approx(3.2));
  CHECK(step_with(Change::faster_network, built) == Approx(1.1 + 0.1 + 1));
  CHECK(step_with(Change::no_network_latency, built) == Approx(1.1 + 2));
  CHECK(step_with(Change::faster_kernels, built) == Approx(1 + 2.1));
  CHECK(step_with(Change::faster_network, built, Fidelity::analytic) == Approx(1.1 + 0.1 + 1));
  // Two members a node: a ring over two NICs is bound by these, not by NVLink.
  CHECK(step_with(Change::faster_scale_up, built) == Approx(3.2));
}

TEST_CASE("a collective gains until the links of the other kind bind") {
  // Eight members a node, rings over eight NICs. One of eight hops leaves the node, so that NVLink
  // of r bytes a second a GPU binds as soon as the NICs of a node do more than 8/7 r together.
  const Built built = only_all_reduce(0, 2, 1);
  const calibrate::GroupShape& shape =
      built.graph.groups_of(strategies::data_parallel).shapes.front();
  const double network = shape.network_rate.byte();
  const double scale_up = shape.scale_up_rate.byte() * 8 / 7;
  REQUIRE(network < scale_up);
  REQUIRE(scale_up < 2 * network);
  CHECK(step_with(Change::faster_network, built) == Approx(1.1 + 2 * network / scale_up));
}

TEST_CASE("what nothing in the step rests on is not asked") {
  const Built built = only_all_reduce(0, 2);
  CHECK(changes_of(built.graph) ==
        std::vector{Change::faster_network, Change::faster_scale_up, Change::faster_kernels});
}

TEST_CASE("the GPU waits longer for the host when its kernels are faster") {
  Built built = only_all_reduce(0, 2);
  Segment& segment = built.graph.segments[0];
  Piece host;
  host.phase = Phase::host;
  host.compute = base::Seconds::from_s(0.4);
  segment.pieces.push_back(host);
  segment.compute += host.compute;  // 1.1 s of kernels, 1.5 s to launch them
  CHECK(step_of(built) == Approx(3.5));
  CHECK(step_with(Change::faster_kernels, built) == Approx(3.5));
  CHECK(step_with(Change::no_launches, built) == Approx(3.1));
}

TEST_CASE("collectives that take SMs slow kernels beside them, and do not when they take none") {
  Built built = only_all_reduce(0, 2);
  StepGraph& graph = built.graph;
  for (calibrate::CollectiveCost& cost : graph.collectives[0].cost) cost.sm_share = 0.5;
  // Side by side: 1.1 s of kernels at half their speed end after 2.2 s, the all-reduce after 2.
  graph.programs[0].tasks[1].dependency_count = 0;
  CHECK(step_of(built) == Approx(2.1));  // 1 s of kernels in 2 s, the last 0.1 s at full speed
  CHECK(step_with(Change::no_sms, built) == Approx(2));
}

TEST_CASE("… and kernels do not hold up those in their own segment") {
  Built built = only_all_reduce(0, 2);
  StepGraph& graph = built.graph;
  graph.segments[0].pieces[0].collective = 0;
  for (calibrate::CollectiveCost& cost : graph.collectives[0].cost) {
    cost.held_up = base::Seconds::from_s(0.5);  // of the two seconds
    cost.lost_to_products = 0.25;
  }
  graph.programs[0].tasks.pop_back();
  CHECK(step_of(built) == Approx(2));
  CHECK(step_with(Change::no_sms, built) == Approx(1.5));
}

// Faster parts may move two transfers onto a link at once that met nobody before; by more than
// that, a rounding or a price would be wrong. No plan here shows it above a thousandth, nor does a
// scenario that comes with foreshard (the most is 0.06 %, without latency between nodes).
TEST_CASE("nothing faster makes the step of a plan slower") {
  for (const strategies::Plan& plan :
       {plan_with(2, 2, 4, 4), plan_with(4, 1, 4, 2), plan_with(1, 4, 4, 8)}) {
    const Built built = build(gpt(4), plan);
    for (const Fidelity fidelity : {Fidelity::analytic, Fidelity::hybrid, Fidelity::flow}) {
      const double before = fidelity == Fidelity::analytic
                                ? analyse(built.graph, built.cluster, built.gpus).step.s()
                                : step_of(built, fidelity);
      for (const Change change : changes_of(built.graph)) {
        INFO(name_of(change) << ", fidelity " << static_cast<int>(fidelity));
        CHECK(step_with(change, built, fidelity) <= before * 1.001);
      }
    }
  }
}

}  // namespace
}  // namespace sim
