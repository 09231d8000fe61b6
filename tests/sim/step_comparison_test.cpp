#include "sim/step_comparison.hpp"

#include "tests/support/catch.hpp"

namespace sim {
namespace {

/// One rank, one segment: a product of 2 ms, then a collective of nobody; twice per step.
StepGraph small_graph() {
  StepGraph graph;
  graph.labels = {"product"};
  graph.kernels = {base::Gemm{64, 64, 64, 1, base::DType::fp32, base::DType::fp32}};
  Piece piece;
  piece.compute = base::Seconds::from_ms(2);
  piece.kernel_count = 1;
  graph.segments = {{"forward", Phase::forward, {piece}, piece.compute}};
  Program program;
  add_task(program, {}, {});
  add_task(program, {}, {0});
  graph.programs = {program};
  graph.program_of_rank = {0};
  return graph;
}

RankStep step_of(double product, double reference) {
  RankStep step;
  step.seconds = 2 * product;
  step.reference = reference;
  step.spans = {{0, 0, product, 0}, {product, product, 2 * product, 0}};
  step.pieces = {{{product, 0}}, {{product, 0}}};
  return step;
}

TEST_CASE("a step travels between ranks as numbers") {
  const RankStep step = step_of(0.003, 0.002);
  const RankStep back = unpacked(packed(step));
  CHECK(back.seconds == step.seconds);
  CHECK(back.reference == step.reference);
  REQUIRE(back.spans.size() == 2);
  CHECK(back.spans[1].begin == 0.003);
  CHECK(back.spans[1].end == 0.006);
  CHECK(back.pieces[1][0].compute == 0.003);
}

TEST_CASE("steps are compared by their median, at the speed that the machine had") {
  const StepGraph graph = small_graph();
  // Steps of 10, 5 and 6 ms: the median is 6. Forecast 4 ms: a third too fast.
  const ExecutedSteps steps{
      {step_of(0.005, 0.003)}, {step_of(0.0025, 0.003)}, {step_of(0.003, 0.003)}};
  const StepComparison result = compare_steps(graph, 0.004, steps);
  CHECK(result.executed == Approx(0.006));
  CHECK(result.executed_min == Approx(0.005));
  CHECK(result.executed_max == Approx(0.010));
  CHECK(result.middle == 2);
  CHECK(result.error() == Approx(4.0 / 6 - 1));
  // The product alone took 3 ms instead of 2: at that speed the forecast is 6 ms.
  CHECK(result.drift == Approx(1.5));
  CHECK(result.error_at_speed() == Approx(0).margin(1e-12));
  REQUIRE(result.parts.size() == 1);
  CHECK(result.parts[0].name == "product");
  CHECK(result.parts[0].forecast == Approx(0.004));
  CHECK(result.parts[0].executed == Approx(0.006));
  CHECK(timeline_of(steps[2]).step.s() == Approx(0.006));
}

TEST_CASE("what a step needs is told once") {
  StepGraph graph = small_graph();
  graph.kernels.push_back(graph.kernels.front());
  CHECK(needed_work(graph).kernels.size() == 1);
  CHECK(needed_work(graph).collectives.empty());
  // An all-reduce of 1,000 floats among 4: its call counts 1,000 elements each way.
  const CollectiveWork work =
      collective_work(base::Collective::all_reduce, base::Bytes::from_count(4000), 4, "float");
  CHECK(work.call.count == 1000);
  CHECK(work.size.send == 1000);
  // An all-gather of 4,096 bytes in all: 256 elements of each rank.
  const CollectiveWork gather =
      collective_work(base::Collective::all_gather, base::Bytes::from_count(4096), 4, "float");
  CHECK(gather.call.count == 256);
  CHECK(gather.size.receive == 1024);
  CHECK(gather.call.reduction == "none");
}

}  // namespace
}  // namespace sim
