#include "sim/autoshard/build_sharded_step.hpp"

#include <iostream>

#include "calibrate/hardware_profile.hpp"
#include "sim/analytic.hpp"
#include "sim/engine.hpp"
#include "sim/report.hpp"
#include "strategies/autoshard/graph_problem.hpp"
#include "strategies/autoshard/model_graph.hpp"
#include "strategies/autoshard/unroll.hpp"
#include "tests/sim/autoshard/hand_plan.hpp"
#include "tests/sim/small_step.hpp"

namespace sim::autoshard {
namespace {

using strategies::autoshard::Problem;
using strategies::autoshard::Solution;
using strategies::autoshard::TensorGraph;

TEST_CASE("probe") {
  const auto registry = std::make_shared<const topology::HardwareRegistry>(
      *topology::HardwareRegistry::read(std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware"));
  const topology::Cluster cluster =
      topology::uniform_cluster(*registry->find_node("dgx-h100"), 1, 8, registry);
  const auto profile = calibrate::make_hardware_profile(
      *registry->find_gpu(registry->find_node("dgx-h100")->gpu),
      std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware");
  REQUIRE(profile);
  PlacedMesh placed{strategies::placement::Mesh({8}), {0, 1, 2, 3, 4, 5, 6, 7}};
  strategies::ModelSpec model = gpt(8);
  model.hidden = 4096;
  model.ffn = 16384;
  model.heads = model.kv_heads = 32;
  model.head_dim = 128;
  model.vocab = 32000;
  model.positions = 4096;
  const TensorGraph graph = strategies::autoshard::model_graph(model, {8, 4096}, {});
  const ProfilePrices prices(**profile, cluster, placed);
  const Problem problem = make_problem(graph, placed.mesh, prices, {});
  HandPlan hand(problem, {{".weight", {}, "S(0)"}});
  const Solution solution = hand.solve();
  for (std::size_t n = 0; n < problem.nodes.size(); ++n) {
    const auto& node = problem.nodes[n];
    const auto& choice = node.choices[static_cast<std::size_t>(solution.choices[n])];
    std::string text = node.name + ":";
    for (std::size_t i = 0; i < node.operands.size(); ++i)
      text += " " + format(problem.layout_graphs[static_cast<std::size_t>(node.operands[i])]
                               .layouts[static_cast<std::size_t>(choice.operands[i])]);
    text += " ->";
    for (std::size_t i = 0; i < node.results.size(); ++i)
      text += " " +
              format(problem
                         .layout_graphs[static_cast<std::size_t>(
                             problem.tensors[static_cast<std::size_t>(node.results[i])].layouts)]
                         .layouts[static_cast<std::size_t>(choice.results[i])]);
    std::cout << text << "\n";
  }
  strategies::Plan plan = plan_with(1, 1, 8, 1);
  const ShardedStep step =
      build_sharded_step({model, plan, graph, problem, solution, placed, cluster, **profile});
  const Timeline timeline = analyse(step.graph, cluster, placed.gpu_of_rank);
  std::cout << "objective " << solution.time.ms() << " simulated " << timeline.step.ms() << "\n";
  const Program& program = step.graph.programs.front();
  for (std::size_t t = 0; t < program.tasks.size(); ++t) {
    const Task& task = program.tasks[t];
    const Span& span = timeline.span(0, static_cast<std::uint32_t>(t));
    std::cout << t << " " << name_of(task.stream) << " "
              << (task.kind == TaskKind::run ? step.graph.segments[task.index].name
                                             : step.graph.collectives[task.index].name)
              << " " << span.begin * 1e3 << " " << span.end * 1e3 << "\n";
    if (t > 120) break;
  }
}

}  // namespace
}  // namespace sim::autoshard
