#include <algorithm>
#include <map>
#include <set>

#include "sim/analytic.hpp"
#include "sim/report.hpp"
#include "tests/sim/small_step.hpp"
#include "tests/support/catch.hpp"

namespace sim {
namespace {

using base::Bytes;

Bytes at(const MemoryParts& parts, MemoryPart part) {
  return parts[static_cast<std::size_t>(part)];
}

/// At every moment at which something changes, adds up all that is there: what begins at that very
/// moment counts, what ends then does not.
Bytes slow_peak(const Built& built, const Timeline& timeline, int rank) {
  const Program& program =
      built.graph.programs[built.graph.program_of_rank[static_cast<std::size_t>(rank)]];
  const auto time_of = [&](const MemoryEvent& event) {
    const Span& span = timeline.span(rank, event.task);
    return event.at_end ? span.end : span.begin;
  };
  std::int64_t held = 0;
  for (const HeldMemory& one : program.held)
    if (in_tensors(one.part)) held += one.bytes.count();
  std::int64_t most = held;
  for (const MemoryEvent& moment : program.memory) {
    std::int64_t now = held;
    for (const MemoryEvent& event : program.memory)
      if (time_of(event) <= time_of(moment)) now += event.delta_bytes;
    most = std::max(most, now);
  }
  return Bytes::from_count(most);
}

std::vector<Bytes> capacities(const Built& built, double gib) {
  return std::vector<Bytes>(static_cast<std::size_t>(built.graph.grid.size()),
                            Bytes::from_gib(gib));
}

TEST_CASE("the peak of a rank is that of a slow replay of its step") {
  for (const int zero : {0, 1, 2, 3})
    for (const int pipeline : {1, 2}) {
      strategies::Plan plan = plan_with(1, pipeline, 2, 4);
      plan.zero = zero;
      const Built built = build(gpt(4), plan);
      const Timeline timeline = analyse(built.graph, built.cluster, built.gpus);
      for (int rank = 0; rank < built.graph.grid.size(); ++rank)
        CHECK(allocated(peak_of_rank(built.graph, timeline, rank)) ==
              slow_peak(built, timeline, rank));
    }
}

TEST_CASE("what is alive at the peak adds up to it, and each stage has its row") {
  strategies::Plan plan = plan_with(1, 2, 2, 4);
  plan.clip_gradients = true;
  const Built built = build(gpt(4), plan);
  const Timeline timeline = analyse(built.graph, built.cluster, built.gpus);
  const MemoryReport report = follow_memory(built.graph, timeline, capacities(built, 80));
  Bytes sum = at(report.parts, MemoryPart::fragmentation);
  for (const AliveTensors& tensors : report.alive) sum += tensors.bytes;
  CHECK(sum == report.peak);
  CHECK(report.peak == on_device(report.parts));
  CHECK(allocated(report.parts) < reserved(report.parts));
  CHECK(reserved(report.parts) < report.peak);  // the driver's context
  REQUIRE(report.stages.size() == 2);
  CHECK(std::max(report.stages[0].device, report.stages[1].device) == report.peak);
  CHECK(report.moment.stream == "compute");
  CHECK(report.moment.share > 0);
  CHECK(report.moment.task.find("backward") != std::string::npos);
}

TEST_CASE("ZeRO's model states: 16 bytes a parameter, 4 + 12 / N, 2 + 14 / N, 16 / N") {
  // arXiv 1910.02054, figure 1, with gradients of 16 bits: K = 12 (two moments and a master copy).
  const strategies::ModelSpec model = gpt(4);
  const auto p = static_cast<double>(parameters_of(model));
  constexpr double n = 4;
  const std::vector<double> expected{16, 4 + 12 / n, 2 + 14 / n, 16 / n};
  for (int zero = 0; zero < 4; ++zero) {
    strategies::Plan plan = plan_with(1, 1, 4, 1);
    plan.zero = zero;
    plan.precision.gradients = base::DType::bf16;
    const Program program = build(model, plan).graph.programs[0];
    double states = 0;
    for (const MemoryPart part : {MemoryPart::weights, MemoryPart::gradients,
                                  MemoryPart::master_weights, MemoryPart::optimizer})
      states += held_bytes(program, part).as_double();
    // FSDP's parameters are its master weights: 4 + 2 + 8 bytes instead of 2 + 2 + 12.
    const double saved = zero == 3 ? 2 / n : 0;
    CHECK(states == Approx((expected[static_cast<std::size_t>(zero)] - saved) * p).epsilon(1e-4));
  }
}

TEST_CASE("PyTorch's buckets hold all gradients once more, in the format of the parameters") {
  const strategies::ModelSpec model = gpt(4);
  strategies::Plan plan = plan_with(1, 1, 4, 1);
  const auto buffers = [&] {
    return held_bytes(build(model, plan).graph.programs[0], MemoryPart::buffers).count();
  };
  const std::int64_t without = buffers();
  plan.ddp.buckets = strategies::BucketPolicy::sequential;
  CHECK(buffers() - without == 2 * parameters_of(model));
}

TEST_CASE("a loss of nanotron holds 4 bytes a logit beside what it keeps, PyTorch's 10") {
  const strategies::ModelSpec model = gpt(1);
  const auto peak = [&](strategies::LossKernels kernels) {
    strategies::Plan plan = plan_with(1, 1, 1, 1);
    plan.loss_kernels = kernels;
    const Built built = build(model, plan);
    return allocated(peak_of_rank(built.graph, analyse(built.graph, built.cluster, built.gpus), 0))
        .count();
  };
  // 128 tokens, 1,000 words, width 256. Megatron's needs 2 bytes a logit; the head needs more: the
  // gradients of its output and its input.
  const std::int64_t logits = 128 * 1000;
  const std::int64_t head = 2 * (logits + 128 * 256);
  const std::int64_t fused = peak(strategies::LossKernels::fused);
  CHECK(peak(strategies::LossKernels::sharded) - fused == 4 * logits - head);
  CHECK(peak(strategies::LossKernels::eager) - fused == 10 * logits - head);
}

TEST_CASE("tensors that collectives have yet to read are reserved, but in no tensor") {
  strategies::Plan plan = plan_with(2, 1, 1, 2);
  plan.sequence_parallel = true;
  const auto parts = [&](int frees) {
    plan.execution.deferred_frees = frees;
    const Built built = build(gpt(4), plan);
    return peak_of_rank(built.graph, analyse(built.graph, built.cluster, built.gpus), 0);
  };
  const std::int64_t whole = 128 * 256 * 2;  // tokens, width, bytes: of both tensor ranks
  CHECK(at(parts(0), MemoryPart::deferred).count() == 0);
  CHECK(at(parts(5), MemoryPart::deferred).count() == 5 * whole);
  // Beside weight gradients a micro-batch reduces those of the inputs of two matrices a layer and
  // of the head: 9, and 18 a step. What a forward reduces it waits for.
  CHECK(at(parts(1000), MemoryPart::deferred).count() == 18 * whole);
  CHECK(allocated(parts(5)) == allocated(parts(0)));
  CHECK(reserved(parts(5)) - reserved(parts(0)) == Bytes::from_count(5 * whole));
  CHECK(on_device(parts(5)) - on_device(parts(0)) == Bytes::from_count(5 * whole));
  plan.sequence_parallel = false;  // all-reduces work in place
  CHECK(at(parts(5), MemoryPart::deferred).count() == 0);
}

TEST_CASE("an optimizer on the host leaves weights and gradients on the GPU") {
  strategies::Plan plan = plan_with(1, 1, 2, 1);
  plan.zero = 1;
  plan.overlap.parameter_gather = false;
  plan.offload.optimizer = true;
  const Built built = build(gpt(4), plan);
  const Program& program = built.graph.programs[0];
  CHECK(held_bytes(program, MemoryPart::optimizer).count() == 0);
  CHECK(held_bytes(program, MemoryPart::master_weights).count() == 0);
  CHECK(held_bytes(program, MemoryPart::weights).count() > 0);
  std::int64_t out = 0;
  std::int64_t in = 0;
  for (const Task& task : program.tasks)
    if (task.kind == TaskKind::copy)
      (task.stream == Stream::device_to_host ? out : in) +=
          built.graph.copies[task.index].bytes.count();
  // Its half of the gradients in fp32, and of the parameters in bf16.
  const auto half = static_cast<double>(parameters_of(gpt(4))) / 2;
  CHECK(static_cast<double>(out) == Approx(4 * half).epsilon(1e-3));
  CHECK(static_cast<double>(in) == Approx(2 * half).epsilon(1e-3));
}

TEST_CASE("gradients are clipped by one pass, a number over all that differ, and two passes") {
  strategies::Plan plan = plan_with(2, 2, 2, 2);
  const auto update = [&] {
    const Built built = build(gpt(4), plan);
    std::vector<std::string> names;
    const Program& program = built.graph.programs[1];
    for (std::size_t i = program.update; i < program.tasks.size(); ++i) {
      const Task& task = program.tasks[i];
      if (task.kind == TaskKind::run) names.push_back(built.graph.segments[task.index].name);
      if (task.kind != TaskKind::collective) continue;
      const CollectiveUse& use = built.graph.collectives[task.index];
      names.push_back(fmt::format("{} {} B of {}", use.name, use.bytes.count(),
                                  built.graph.grid.extent(use.axes)));
    }
    return names;
  };
  CHECK(update() == std::vector<std::string>{"adamw"});
  plan.clip_gradients = true;
  CHECK(update() == std::vector<std::string>{"gradient norm", "all-reduce gradient norm 4 B of 4",
                                             "clip gradients", "adamw"});
  plan.precision.parameters = base::DType::fp16;
  plan.zero = 1;
  plan.overlap.parameter_gather = true;
  CHECK(update() == std::vector<std::string>{"unscale gradients", "all-reduce overflow 4 B of 8",
                                             "gradient norm", "all-reduce gradient norm 4 B of 8",
                                             "clip gradients", "adamw"});
}

TEST_CASE("Muon under ZeRO sends matrices to their roots and updates back") {
  strategies::Plan plan = plan_with(1, 1, 4, 1);
  plan.zero = 1;
  plan.optimizer.kind = strategies::OptimizerKind::muon;
  const Built built = build(gpt(4), plan);
  std::vector<std::int64_t> exchanged;
  for (const Task& task : built.graph.programs[0].tasks)
    if (task.kind == TaskKind::collective &&
        built.graph.collectives[task.index].op == base::Collective::all_to_all)
      exchanged.push_back(built.graph.collectives[task.index].bytes.count());
  // Four layers of 12 h^2 elements, a quarter of them, 16 bits.
  const std::int64_t shard = std::int64_t{4} * 12 * 256 * 256 / 4 * 2;
  CHECK(exchanged == std::vector<std::int64_t>{shard, shard});
}

}  // namespace
}  // namespace sim
