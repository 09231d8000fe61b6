#include "sim/engine.hpp"
#include "sim/report.hpp"
#include "tests/sim/autoshard/small_mesh.hpp"

namespace sim::autoshard {
namespace {

using strategies::autoshard::Arc;

TEST_CASE("on one rank a step is its kernels and the optimizer") {
  const SmallMesh one({1});
  const Solution solution = one.best();
  const ShardedStep step = one.step(solution);
  const Program& program = step.graph.programs.front();
  for (const Task& task : program.tasks) CHECK(task.kind == TaskKind::run);
  CHECK(one.analysed(step.graph).step.s() == Approx(solution.time.s()).epsilon(1e-9));
  // Every copy of every node: the FLOP are those of the graph.
  double flop = 0;
  for (const base::Kernel& kernel : step.graph.kernels) flop += base::flop_of(kernel).count();
  CHECK(flop == Approx(flop_of(one.graph()).count()).epsilon(1e-12));
}

/// Collectives and bytes of each edge of a solution, all copies.
void check_traffic(const SmallMesh& mesh, const Solution& solution, const ShardedStep& step) {
  const Problem& problem = mesh.problem();
  std::vector<int> tasks(problem.edges.size(), 0);
  std::vector<double> bytes(problem.edges.size(), 0);
  const Program& program = step.graph.programs.front();
  for (std::size_t t = 0; t < program.tasks.size(); ++t) {
    const int edge = step.edge_of_task[t];
    CHECK((edge >= 0) == (program.tasks[t].kind == TaskKind::collective));
    if (edge < 0) continue;
    ++tasks[static_cast<std::size_t>(edge)];
    bytes[static_cast<std::size_t>(edge)] +=
        step.graph.collectives[program.tasks[t].index].bytes.as_double();
  }
  for (std::size_t e = 0; e < problem.edges.size(); ++e) {
    const auto& edge = problem.edges[e];
    const auto layouts =
        static_cast<std::size_t>(problem.tensors[static_cast<std::size_t>(edge.tensor)].layouts);
    double count = 0;
    double sum = 0;
    for (const int index : solution.ways[e]) {
      const Arc& arc = problem.layout_graphs[layouts].arcs[static_cast<std::size_t>(index)];
      const double times = edge.weight * problem.runs(edge);
      count += arc.op ? times : 0;
      sum += arc.op ? arc.bytes.as_double() * times : 0;
    }
    INFO(problem.tensors[static_cast<std::size_t>(edge.tensor)].name);
    CHECK(tasks[e] == count);
    CHECK(bytes[e] == Approx(sum));
  }
}

TEST_CASE("what a solution moves is what the step moves") {
  for (const std::vector<int>& sizes : {std::vector{8}, std::vector{2, 4}, std::vector{2, 2, 2}}) {
    const SmallMesh mesh(sizes);
    const Solution solution = mesh.best();
    check_traffic(mesh, solution, mesh.step(solution));
  }
  const SmallMesh eight({8});
  for (const std::vector<Wish>& wishes : {fully_sharded, tensor_parallel}) {
    const Solution solution = planned(eight.problem(), wishes);
    check_traffic(eight, solution, eight.step(solution));
  }
}

TEST_CASE("a step of several micro-batches is all of them, and one update") {
  for (const strategies::OptimizerKind kind :
       {strategies::OptimizerKind::adamw, strategies::OptimizerKind::adafactor,
        strategies::OptimizerKind::shampoo, strategies::OptimizerKind::muon}) {
    const SmallMesh one({1}, 3, {.kind = kind});
    INFO(name_of(kind));
    const Solution solution = one.best();
    const ShardedStep step = one.step(solution);
    CHECK(one.analysed(step.graph).step.s() == Approx(solution.time.s()).epsilon(1e-9));
    double flop = 0;
    for (const base::Kernel& kernel : step.graph.kernels) flop += base::flop_of(kernel).count();
    const double model = flop_of(one.graph()).count();
    CHECK(flop >= 3 * model * (1 - 1e-12));  // the optimizer may have products, too
    if (kind == strategies::OptimizerKind::adamw) CHECK(flop == Approx(3 * model));
  }
  for (const std::vector<int>& sizes : {std::vector{8}, std::vector{2, 4}}) {
    const SmallMesh mesh(sizes, 3);
    const Solution solution = mesh.best();
    check_traffic(mesh, solution, mesh.step(solution));
  }
}

TEST_CASE("micro-batches keep one gradient for all of them") {
  const SmallMesh mesh({8}, 4);
  const auto peak = [&](std::string_view accumulated) {
    std::vector<Wish> wishes = fully_sharded;
    wishes.insert(wishes.begin(), Wish{".gradient.accumulated", {}, accumulated});
    const Solution solution = planned(mesh.problem(), wishes);
    const ShardedStep step = mesh.step(solution);
    check_traffic(mesh, solution, step);
    std::int64_t now = 0;
    std::int64_t most = 0;
    for (const MemoryEvent& event : step.graph.programs.front().memory)
      if (event.part == MemoryPart::gradients) most = std::max(most, now += event.delta_bytes);
    return static_cast<double>(most);
  };
  // fp32, whole or an eighth; and what one layer has just made, in bf16 and fp32.
  const auto parameters = static_cast<double>(parameters_of(medium_model()));
  const double layer = 4 * 4096.0 * 4096 + 2 * 4096.0 * 16384;
  CHECK(peak("P") >= 4 * parameters * 0.99);
  CHECK(peak("P") <= 4 * parameters + 8 * layer);
  CHECK(peak("S(0)") >= 4 * parameters / 8 * 0.99);
  CHECK(peak("S(0)") <= 4 * parameters / 8 + 2 * 8 * layer);
}

TEST_CASE("gradients that each micro-batch reduces do not hold kernels up") {
  // FSDP with three micro-batches takes about three times as long as with one, less two updates:
  // reductions hide behind the backward pass of the layer before.
  const auto step = [](int micro_batches) {
    const SmallMesh mesh({8}, micro_batches);
    std::vector<Wish> wishes = fully_sharded;
    wishes.insert(wishes.begin(), Wish{".gradient.accumulated", {}, "S(0)"});
    return mesh.analysed(mesh.step(planned(mesh.problem(), wishes)).graph).step.s();
  };
  CHECK(step(3) <= 3 * step(1) * 1.01);
  CHECK(step(3) >= 3 * step(1) * 0.9);
}

TEST_CASE("Muon's matrices travel to their owners and back") {
  const SmallMesh mesh({8}, 1, {.kind = strategies::OptimizerKind::muon});
  const ShardedStep step = mesh.step(planned(mesh.problem(), fully_sharded));
  const Program& program = step.graph.programs.front();
  double bytes = 0;
  for (std::size_t t = program.update; t < program.tasks.size(); ++t)
    if (program.tasks[t].kind == TaskKind::collective)
      bytes += step.graph.collectives[program.tasks[t].index].bytes.as_double();
  // bf16 of an eighth of the hidden matrices, there and back.
  const double hidden = 8 * (4 * 4096.0 * 4096 + 2 * 4096.0 * 16384);
  CHECK(bytes == Approx(2 * 2 * hidden / 8));
}

TEST_CASE("FSDP and Megatron as solutions take as long as our own plans of them") {
  const SmallMesh mesh({8});
  const auto times = [&](const std::vector<Wish>& wishes, const strategies::Plan& plan) {
    const StepGraph sharded = mesh.step(planned(mesh.problem(), wishes)).graph;
    return std::pair(mesh.analysed(sharded).step.s(), mesh.analysed(mesh.ours(plan)).step.s());
  };
  // Our plan: loss of six passes over fp32 logits and not one over bf16 ones, no casts (FSDP does
  // them while it gathers), fused rotations and projections, one gather and reduction a layer.
  strategies::Plan sharded = plan_with(1, 1, 8, 1);
  sharded.zero = 3;
  sharded.execution.fsdp_layout = strategies::FsdpLayout::buffer;  // shards are rows of matrices
  const auto [fsdp, our_fsdp] = times(fully_sharded, sharded);
  INFO(1e3 * fsdp << " ms, ours " << 1e3 * our_fsdp << " ms");
  CHECK(fsdp == Approx(our_fsdp).epsilon(0.03));
  strategies::Plan tensor = plan_with(8, 1, 1, 1);
  tensor.sequence_parallel = true;
  tensor.micro_batch = 8;
  const auto [megatron, our_megatron] = times(tensor_parallel, tensor);
  INFO(1e3 * megatron << " ms, ours " << 1e3 * our_megatron << " ms");
  CHECK(megatron == Approx(our_megatron).epsilon(0.05));
}

TEST_CASE("a sharded step on two nodes: engines agree") {
  const SmallMesh mesh({2, 8});
  const ShardedStep step = mesh.step(mesh.best());
  const double analytic = mesh.analysed(step.graph).step.s();
  for (const Fidelity fidelity : {Fidelity::hybrid, Fidelity::flow}) {
    const Timeline played =
        simulate(step.graph, mesh.cluster(), mesh.gpus(), {.fidelity = fidelity});
    CHECK(played.step.s() >= analytic * (1 - 1e-9));
    // Kernels beside collectives are slower, which the lower bound leaves out.
    CHECK(played.step.s() <= analytic * 1.25);
    CHECK(break_down(step.graph, played).total().s() == Approx(played.step.s()).epsilon(1e-9));
  }
}

TEST_CASE("memory of a sharded step") {
  const SmallMesh mesh({8});
  const auto parameters = static_cast<double>(parameters_of(medium_model()));
  const ShardedStep step = mesh.step(planned(mesh.problem(), fully_sharded));
  const Program& program = step.graph.programs.front();
  // fp32 parameters and two fp32 moments, an eighth of each; the model also counts positions.
  CHECK(held_bytes(program, MemoryPart::weights).as_double() ==
        Approx(4 * parameters / 8).epsilon(0.01));
  CHECK(held_bytes(program, MemoryPart::optimizer).as_double() ==
        Approx(8 * parameters / 8).epsilon(0.01));
  const auto peak = [&](MemoryPart part) {
    std::int64_t now = 0;
    std::int64_t most = 0;
    for (const MemoryEvent& event : program.memory)
      if (event.part == part) most = std::max(most, now += event.delta_bytes);
    return static_cast<double>(most);
  };
  // Gathered: a layer in use and the next one, bf16; around the head its own 131 M parameters.
  const double layer = 2.0 * (4 * 4096.0 * 4096 + 2 * 4096.0 * 16384);
  CHECK(peak(MemoryPart::gathered) >= 2 * layer);
  CHECK(peak(MemoryPart::gathered) <= 2 * layer + 2 * 32000 * 4096.0);
  // At the end all gradients are in fp32 shards.
  CHECK(peak(MemoryPart::gradients) >= 4 * parameters / 8 * 0.99);
  // Of a rank's one sequence, layer by layer, in bf16: 7 tensors of the width (input, norm, q, k,
  // v, rotated q and k, attention's output, residual, second norm) and 2 of the MLP.
  const double sequence = 4096.0 * 2;
  CHECK(peak(MemoryPart::activations) >= 8 * sequence * (7 * 4096 + 2 * 16384.0));
  CHECK(peak(MemoryPart::activations) <= 8 * sequence * (16 * 4096 + 3 * 16384.0));
}

TEST_CASE("plans that are simulated and priced again are never worse, and hide what can be") {
  const SmallMesh mesh({8});
  const Solution first = mesh.best();
  const Refined refined = mesh.refined(first, 6);
  CHECK(refined.steps.front() == mesh.analysed(mesh.step(first).graph).step);
  CHECK(refined.step == *std::min_element(refined.steps.begin(), refined.steps.end()));
  CHECK(refined.step == mesh.analysed(mesh.step(refined.solution).graph).step);
  // The sum of all times is least with few collectives; FSDP has many, and hides them.
  const Solution fsdp = planned(mesh.problem(), fully_sharded);
  CHECK(first.time < fsdp.time);
  const base::Seconds by_hand = mesh.analysed(mesh.step(fsdp).graph).step;
  CHECK(refined.step.ms() <= by_hand.ms());
  CHECK(refined.solution.time >= first.time);  // in prices that hide nothing
  CHECK(mesh.refined(first, 1).steps.size() == 1);
}

}  // namespace
}  // namespace sim::autoshard
