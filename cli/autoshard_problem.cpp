#include "cli/autoshard_problem.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <utility>

#include "base/quantity.hpp"
#include "cli/exit_code.hpp"
#include "cli/forecast.hpp"
#include "cli/output.hpp"
#include "cli/value_or_leave.hpp"
#include "sim/analytic.hpp"
#include "sim/engine.hpp"
#include "strategies/autoshard/graph_problem.hpp"

namespace cli {

namespace {

namespace autoshard = strategies::autoshard;

[[noreturn]] void leave(const base::SourceRef& where, std::string message, std::string hint) {
  print({{where, std::move(message), std::move(hint)}});
  throw CLI::RuntimeError(mistake);
}

/// Nodes by ranks of a node, where all nodes have as many.
std::vector<int> default_mesh(const sim::Scenario& scenario,
                              const std::vector<topology::GpuId>& gpus) {
  std::map<int, int> ranks;
  for (const topology::GpuId gpu : gpus) ++ranks[scenario.cluster.node_of(gpu)];
  const int total = static_cast<int>(gpus.size());
  const int most = std::max_element(ranks.begin(), ranks.end(), [](const auto& a, const auto& b) {
                     return a.second < b.second;
                   })->second;
  if (ranks.size() == 1 || most == 1 || total % most != 0) return {total};
  return {total / most, most};
}

std::vector<std::string> default_names(std::size_t dims) {
  std::vector<std::string> names;
  for (std::size_t d = 0; d < dims; ++d) names.push_back(fmt::format("dim{}", d));
  return names;
}

autoshard::MemoryRange memory_of(const AutoshardOptions& options, const sim::Scenario& scenario,
                                 const std::vector<topology::GpuId>& gpus) {
  autoshard::MemoryRange memory = scenario.autoshard.demands.memory;
  if (!options.memory.empty()) {
    const auto bytes = base::parse_bytes(options.memory);
    if (!bytes) leave({"--memory"}, bytes.error().message, bytes.error().hint);
    memory = {0, bytes->as_double()};
  }
  if (memory.high < std::numeric_limits<double>::infinity()) return memory;
  for (const topology::GpuId gpu : gpus)
    memory.high = std::min(memory.high, scenario.cluster.gpu_spec(gpu).memory.as_double());
  return memory;
}

}  // namespace

AutoshardProblem::AutoshardProblem(const sim::Scenario& given,
                                   const calibrate::Calibrations& calibrations,
                                   const AutoshardOptions& options)
    : scenario(given),
      stages_(options.stages),
      gpus_(sim::place_ranks(given)),
      placed_{strategies::placement::Mesh({1}), {}} {
  if (gpus_.size() % static_cast<std::size_t>(stages_) != 0)
    leave({"--stages"}, fmt::format("{} ranks do not divide into {} stages", gpus_.size(), stages_),
          "a divisor of the ranks");
  placed_ = placed(0);
  const std::vector<topology::GpuId>& gpus = placed_.gpu_of_rank;
  const base::SourceRef asked{options.mesh.empty() ? given.name : "--mesh"};
  header.model = given.model.name;
  header.mesh = !options.mesh.empty() ? value_or_leave(autoshard::parse_mesh(options.mesh, asked))
                                      : given.autoshard.mesh;
  if (header.mesh.empty()) header.mesh = default_mesh(given, gpus);
  header.mesh_names = given.autoshard.mesh_names;
  if (header.mesh_names.size() != header.mesh.size())
    header.mesh_names = default_names(header.mesh.size());
  placed_.mesh = strategies::placement::Mesh(header.mesh);
  if (placed_.mesh.size() != static_cast<int>(gpus.size()))
    leave(asked,
          fmt::format("mesh {} has {} ranks, but there are {}{}", fmt::join(header.mesh, "x"),
                      placed_.mesh.size(), gpus.size(), options.stages > 1 ? " in a stage" : ""),
          "their extents must multiply to the ranks");
  const strategies::Plan& plan = given.plan;
  const int micro_batches = std::max(1, options.micro_batches);
  if (plan.global_batch % micro_batches != 0)
    leave({"--micro-batches"},
          fmt::format("{} sequences do not divide into {} micro-batches", plan.global_batch,
                      micro_batches),
          "a divisor of plan.global_batch");
  demands = {given.autoshard.demands.constraints, memory_of(options, given, gpus_)};

  calibrate::MadeProfile made = value_or_leave(profile_for(given, calibrations));
  print(made.warnings);
  profile_ = std::move(made.profile);
  cut_batch(micro_batches);
}

std::vector<int> AutoshardProblem::micro_batch_choices() const {
  std::vector<int> choices;
  for (int count = 1; scenario.plan.global_batch % count == 0; count *= 2) choices.push_back(count);
  return choices;
}

void AutoshardProblem::cut_batch(int micro_batches) {
  const strategies::Plan& plan = scenario.plan;
  header.micro_batches = micro_batches;
  shape = {plan.global_batch / micro_batches, plan.sequence};
  strategies::ModelSpec model = scenario.model;
  if (stages_ > 1) model.tied_embeddings = false;
  graph = autoshard::model_graph(
      model, shape, {plan.precision.parameters, plan.precision.compute, plan.precision.gradients});
  problem = problem_on(placed_);
}

/// Stages are runs of ranks.
sim::autoshard::PlacedMesh AutoshardProblem::placed(int stage) const {
  const std::size_t ranks = gpus_.size() / static_cast<std::size_t>(stages_);
  const auto first = gpus_.begin() + static_cast<std::ptrdiff_t>(ranks) * stage;
  return {placed_.mesh, {first, first + static_cast<std::ptrdiff_t>(ranks)}};
}

autoshard::Problem AutoshardProblem::problem_on(const sim::autoshard::PlacedMesh& placed) const {
  const strategies::Plan& plan = scenario.plan;
  const sim::autoshard::ProfilePrices prices(*profile_, scenario.cluster, placed);
  return autoshard::make_problem(graph, placed.mesh, prices,
                                 {plan.optimizer, plan.precision, header.micro_batches});
}

sim::autoshard::ShardedStepInput AutoshardProblem::step_input(
    const autoshard::Solution& solution) const {
  return {scenario.model, scenario.plan,    graph,    problem, solution,
          placed_,        scenario.cluster, *profile_};
}

sim::Timeline AutoshardProblem::play(const sim::StepGraph& step) const {
  if (scenario.fidelity == sim::Fidelity::analytic)
    return sim::analyse(step, scenario.cluster, placed_.gpu_of_rank);
  return sim::simulate(step, scenario.cluster, placed_.gpu_of_rank,
                       {.fidelity = scenario.fidelity,
                        .routing = scenario.routing,
                        .fold = scenario.fold,
                        .progress = {}});
}

sim::Timeline AutoshardProblem::simulate(const autoshard::Solution& solution) const {
  return play(sim::autoshard::build_sharded_step(step_input(solution)).graph);
}

sim::autoshard::Refined AutoshardProblem::refine(const autoshard::Solution& solution,
                                                 const sim::autoshard::Solver& solve,
                                                 int rounds) const {
  return sim::autoshard::refine(
      step_input(solution), solve, [&](const sim::StepGraph& step) { return play(step); }, rounds);
}

}  // namespace cli
