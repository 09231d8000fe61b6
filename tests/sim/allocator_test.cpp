// What a step waits for that has too little memory.

#include "sim/allocator.hpp"

#include "sim/analytic.hpp"
#include "sim/report.hpp"
#include "tests/sim/small_step.hpp"
#include "tests/support/catch.hpp"

namespace sim {
namespace {

using base::Bytes;

strategies::Plan plan_of(int sequences, base::Seconds retry) {
  strategies::Plan plan = plan_with(2, 1, 1, 2);
  plan.sequence_parallel = true;
  plan.micro_batch = sequences;
  plan.global_batch = 2 * sequences;
  plan.execution.allocator_retry = retry;
  return plan;
}

/// Of all that runs in a step.
double waiting_seconds(const StepGraph& graph) {
  double sum = 0;
  for (const Task& task : graph.programs[0].tasks)
    if (task.kind == TaskKind::run)
      for (const Piece& piece : graph.segments[task.index].pieces)
        if (piece.phase == Phase::allocator) sum += piece.compute.s();
  return sum;
}

TEST_CASE("a step that lacks a share of its memory asks for that share of its tensors again") {
  const auto retry = base::Seconds::from_ms(10);
  constexpr int sequences = 100'000;
  const Built built = build(gpt(4), plan_of(sequences, retry));
  const Program& program = built.graph.programs[0];
  const Timeline timeline = analyse(built.graph, built.cluster, built.gpus);
  const double peak = on_device(peak_of_rank(built.graph, timeline, 0)).as_double();
  const double capacity = built.cluster.gpu_spec(built.gpus.front()).memory.as_double();
  REQUIRE(peak > 1.2 * capacity);
  double asked = 0;
  for (const MemoryEvent& event : program.memory)
    if (event.delta_bytes > 0) asked += static_cast<double>(event.delta_bytes);
  // Two micro-batches, each with two reductions a layer and way, and one at either end.
  asked += 2.0 * 18 * sequences * 128 * 256 * 2;
  const double gib = Bytes::from_gib(1).as_double();
  CHECK(waiting_seconds(built.graph) ==
        Approx(retry.s() * asked / gib * (1 - capacity / peak)).epsilon(1e-9));
  CHECK(
      timeline.step.s() ==
      Approx(
          analyse(build(gpt(4), plan_of(sequences, {})).graph, built.cluster, built.gpus).step.s() +
          waiting_seconds(built.graph))
          .epsilon(1e-9));
}

TEST_CASE("a step that fits asks once, and one without a price for it does not wait") {
  CHECK(waiting_seconds(build(gpt(4), plan_of(1'000, base::Seconds::from_ms(10))).graph) == 0);
  CHECK(waiting_seconds(build(gpt(4), plan_of(100'000, {})).graph) == 0);
}

}  // namespace
}  // namespace sim
