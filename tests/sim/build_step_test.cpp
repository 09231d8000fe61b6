#include "sim/build_step.hpp"

#include <map>

#include "sim/analytic.hpp"
#include "sim/report.hpp"
#include "tests/sim/small_step.hpp"
#include "tests/support/catch.hpp"

namespace sim {
namespace {

using base::Seconds;

TEST_CASE("what data parallelism says in one step, by ZeRO stage") {
  const strategies::ModelSpec model = gpt(4);
  const std::int64_t p = parameters_of(model);
  strategies::Plan plan = plan_with(1, 1, 4, 2);
  SECTION("DDP reduces every gradient once, in fp32") {
    const auto bytes = collective_bytes(build(model, plan).graph, 0);
    CHECK(bytes == std::map<std::string, std::int64_t>{{"all-reduce gradients", 4 * p}});
  }
  SECTION("ZeRO-1 scatters gradients and gathers parameters, in bf16") {
    plan.zero = 1;
    const auto bytes = collective_bytes(build(model, plan).graph, 0);
    CHECK(bytes == std::map<std::string, std::int64_t>{{"reduce-scatter gradients", 4 * p},
                                                       {"all-gather parameters", 2 * p}});
  }
  SECTION("ZeRO-2 scatters them for each of the two micro-batches") {
    plan.zero = 2;
    const auto bytes = collective_bytes(build(model, plan).graph, 0);
    CHECK(bytes == std::map<std::string, std::int64_t>{{"reduce-scatter gradients", 2LL * 4 * p},
                                                       {"all-gather parameters", 2 * p}});
  }
  SECTION("ZeRO-3 gathers parameters for each forward and each backward") {
    plan.zero = 3;
    plan.fsdp.root = strategies::FsdpRoot::none;
    const auto bytes = collective_bytes(build(model, plan).graph, 0);
    CHECK(bytes == std::map<std::string, std::int64_t>{{"reduce-scatter gradients", 2LL * 4 * p},
                                                       {"all-gather parameters", 2LL * 2 * 2 * p}});
  }
  SECTION("HSDP sums shards over two replicas") {
    plan.zero = 3;
    plan.data_replicate = 2;
    const auto bytes = collective_bytes(build(model, plan).graph, 0);
    CHECK(bytes.at("reduce-scatter gradients") == 2LL * 4 * p);
    // Half of the gradients on each of two shards, rounded up once a unit and micro-batch.
    CHECK(bytes.at("all-reduce gradient shards") == Approx(2LL * 4 * p / 2).margin(2 * 6));
  }
  SECTION("one rank alone says nothing") {
    CHECK(collective_bytes(build(model, plan_with(1, 1, 1, 2)).graph, 0).empty());
  }
}

TEST_CASE("a pipeline of equal stages takes (stages - 1 + micro-batches) slots") {
  // Four stages of one layer; only the first and last have more to do. With four stages counted as
  // layers (embedding, 2 layers, head) the stages differ, so compare with the busiest one.
  const strategies::ModelSpec model = gpt(8);
  for (const auto kind : {strategies::ScheduleKind::gpipe, strategies::ScheduleKind::one_f_one_b}) {
    strategies::Plan plan = plan_with(1, 4, 1, 8);
    plan.schedule = kind;
    const Built built = build(model, plan);
    const Timeline timeline = analyse(built.graph, built.cluster, built.gpus);
    double slot = 0;  // forward and backward of one micro-batch on an inner stage
    for (const Task& task : built.graph.programs[1].tasks)
      if (task.kind == TaskKind::run && task.micro_batch == 0)
        slot += built.graph.segments[task.index].compute.s();
    CHECK(timeline.step.s() >= (4 - 1 + 8) * slot);
    CHECK(timeline.step.s() <= (4 - 1 + 8) * slot * 1.25);  // head and loss on the last stage
  }
}

TEST_CASE("the breakdown adds up to the step, and no exposed time is negative") {
  for (const int zero : {0, 1, 2, 3}) {
    strategies::Plan plan = plan_with(2, 2, 2, 4);
    plan.zero = zero;
    plan.sequence_parallel = true;
    const Built built = build(gpt(4), plan);
    const Timeline timeline = analyse(built.graph, built.cluster, built.gpus);
    const Breakdown b = break_down(built.graph, timeline);
    CHECK(b.total().s() == Approx(timeline.step.s()).epsilon(1e-9));
    for (const Seconds part : {b.forward, b.backward, b.recompute, b.tensor_exposed, b.data_exposed,
                               b.parameter_exposed, b.pipeline_exposed, b.bubble, b.optimizer})
      CHECK(part.s() >= -1e-12);
    CHECK(b.forward.s() > 0);
    CHECK(b.tensor_exposed.s() > 0);
  }
}

TEST_CASE("memory of a stage: model states by ZeRO stage, activations by schedule") {
  const strategies::ModelSpec model = gpt(4);
  const auto p = static_cast<double>(parameters_of(model));
  const auto part = [](const Program& program, MemoryPart which) {
    return held_bytes(program, which).as_double();
  };
  // bf16 weights 2, fp32 gradients 4, fp32 master weights and two moments 12 bytes a parameter.
  struct Row {
    int zero;
    double weights, gradients, master, optimizer;
  };
  for (const Row& row :
       {Row{0, 2, 4, 4, 8}, Row{1, 2, 4, 1, 2}, Row{2, 2, 1, 1, 2}, Row{3, 1, 1, 0, 2}}) {
    strategies::Plan plan = plan_with(1, 1, 4, 1);
    plan.zero = row.zero;
    const Program program = build(model, plan).graph.programs[0];
    CHECK(part(program, MemoryPart::weights) == Approx(row.weights * p).epsilon(1e-4));
    CHECK(part(program, MemoryPart::gradients) == Approx(row.gradients * p).epsilon(1e-4));
    CHECK(part(program, MemoryPart::master_weights) == Approx(row.master * p).epsilon(1e-4));
    CHECK(part(program, MemoryPart::optimizer) == Approx(row.optimizer * p).epsilon(1e-4));
  }
  // GPipe holds all 8 micro-batches, 1F1B on the first of two stages two of them.
  const auto activations = [&](strategies::ScheduleKind kind) {
    strategies::Plan plan = plan_with(1, 2, 1, 8);
    plan.schedule = kind;
    const Built built = build(model, plan);
    std::int64_t now = 0;
    std::int64_t most = 0;
    for (const MemoryEvent& event : built.graph.programs[0].memory)
      if (event.part == MemoryPart::activations &&
          built.graph.programs[0].memory_names[event.what] == "layer")
        most = std::max(most, now += event.delta_bytes);
    return static_cast<double>(most);
  };
  CHECK(activations(strategies::ScheduleKind::gpipe) /
            activations(strategies::ScheduleKind::one_f_one_b) ==
        Approx(4).epsilon(0.01));
}

TEST_CASE("a stage starts late behind each message, and a step behind its end") {
  // Two stages, one micro-batch: the second waits for activations, the first for gradients.
  strategies::Plan plan = plan_with(1, 2, 1, 1);
  const auto step = [&] {
    const Built built = build(gpt(2), plan);
    const Timeline timeline = analyse(built.graph, built.cluster, built.gpus);
    CHECK(break_down(built.graph, timeline).total().s() == Approx(timeline.step.s()).epsilon(1e-9));
    return timeline.step.s();
  };
  const double plain = step();
  plan.execution.exchange_dispatch = Seconds::from_ms(3);
  CHECK(step() == Approx(plain + 2 * 3e-3));
  plan.execution.step_dispatch = Seconds::from_ms(7);
  CHECK(step() == Approx(plain + 2 * 3e-3 + 7e-3));
}

TEST_CASE("owners broadcast whole tensors, one after the other") {
  strategies::Plan plan = plan_with(1, 1, 4, 1);
  plan.zero = 1;
  plan.gather_bucket = base::Bytes::from_gib(1);  // everything at once
  const auto gathers = [&] {
    std::vector<CollectiveUse> uses;
    for (const CollectiveUse& use : build(gpt(2), plan).graph.collectives)
      if (use.kind == CommKind::parameter) uses.push_back(use);
    return uses;
  };
  REQUIRE(gathers().size() == 1);
  CHECK(gathers()[0].op == calibrate::Collective::all_gather);
  const base::Bytes all = gathers()[0].bytes;
  plan.owns_tensors = true;
  REQUIRE(gathers().size() == 1);
  CHECK(gathers()[0].op == calibrate::Collective::broadcast);
  CHECK(gathers()[0].parts == 4);
  CHECK(gathers()[0].bytes == all);
}

TEST_CASE("a step is never faster than its host") {
  strategies::Plan plan = plan_with(1, 1, 1, 2);
  const Built fast = build(gpt(2), plan);
  plan.execution.operator_dispatch = Seconds::from_ms(10);  // ten times a kernel
  const Built slow = build(gpt(2), plan);
  const Seconds quick = analyse(fast.graph, fast.cluster, fast.gpus).step;
  const Timeline late = analyse(slow.graph, slow.cluster, slow.gpus);
  CHECK(late.step.s() > 5 * quick.s());
  const Breakdown b = break_down(slow.graph, late);
  CHECK(b.host.s() > 0);
  CHECK(b.total().s() == Approx(late.step.s()).epsilon(1e-9));
}

}  // namespace
}  // namespace sim
