// From a solved problem to a simulated step: how long it takes to write the step, to play it, and
// to find a plan that plays quicker.

#include <fmt/format.h>

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/hardware_profile.hpp"
#include "sim/analytic.hpp"
#include "sim/autoshard/refine.hpp"
#include "sim/engine.hpp"
#include "strategies/autoshard/graph_problem.hpp"
#include "strategies/autoshard/model_graph.hpp"
#include "strategies/autoshard/solve.hpp"

namespace {

using namespace sim::autoshard;         // NOLINT: one file, one purpose
using namespace strategies::autoshard;  // NOLINT
using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

int main() {
  struct Case {
    std::string_view model;
    std::vector<int> mesh;
    double memory_gb;
  };
  const std::string scenarios = std::string(FORESHARD_SOURCE_DIR) + "/scenarios/";
  const auto registry = std::make_shared<const topology::HardwareRegistry>(
      *topology::HardwareRegistry::read(scenarios + "hardware"));
  const topology::NodeType& type = *registry->find_node("dgx-h100");
  const auto profile =
      *calibrate::make_hardware_profile(*registry->find_gpu(type.gpu), scenarios + "hardware");
  for (const Case& one : {Case{"llama-3.1-8b", {64}, 70}, {"llama-3.1-8b", {8, 8}, 70}}) {
    PlacedMesh placed{strategies::placement::Mesh(one.mesh), {}};
    for (int rank = 0; rank < placed.mesh.size(); ++rank)
      placed.gpu_of_rank.push_back(static_cast<topology::GpuId>(rank));
    const topology::Cluster cluster =
        topology::uniform_cluster(type, placed.mesh.size() / 8, 8, registry);
    const std::string path = fmt::format("{}models/{}/config.json", scenarios, one.model);
    const strategies::ModelSpec model =
        strategies::read_hf_config(base::read_file(path).value(), path).value();
    const TensorGraph graph = model_graph(model, {64, 8192}, {});
    const ProfilePrices prices(*profile, cluster, placed);
    auto start = Clock::now();
    const Problem problem = make_problem(graph, placed.mesh, prices, {});
    fmt::print("{} on {}: problem {:.2f} s", one.model, fmt::join(one.mesh, "x"),
               seconds_since(start));
    const auto solver = [&](const Problem& priced) {
      const auto found = solve(priced, {.memory = {0, one.memory_gb * 1e9}});
      return found ? std::optional(*found) : std::nullopt;
    };
    start = Clock::now();
    const std::optional<Solution> solution = solver(problem);
    fmt::print(", solution {:.2f} s", seconds_since(start));
    if (!solution) {
      fmt::print(": none\n");
      continue;
    }
    const strategies::Plan plan;
    const ShardedStepInput input{model, plan, graph, problem, *solution, placed, cluster, *profile};
    start = Clock::now();
    const ShardedStep step = build_sharded_step(input);
    fmt::print(", step of {} tasks {:.3f} s", step.graph.programs.front().tasks.size(),
               seconds_since(start));
    start = Clock::now();
    const sim::Timeline analytic = sim::analyse(step.graph, cluster, placed.gpu_of_rank);
    fmt::print(", analytic {:.1f} ms in {:.3f} s", analytic.step.ms(), seconds_since(start));
    const auto hybrid = [&](const sim::StepGraph& made) {
      return sim::simulate(made, cluster, placed.gpu_of_rank, {});
    };
    start = Clock::now();
    const sim::Timeline played = hybrid(step.graph);
    fmt::print(", hybrid {:.1f} ms in {:.3f} s\n", played.step.ms(), seconds_since(start));
    start = Clock::now();
    const Refined refined = refine(input, solver, hybrid, 6);
    fmt::print("  refined in {:.2f} s:", seconds_since(start));
    for (const base::Seconds round : refined.steps) fmt::print(" {:.1f}", round.ms());
    fmt::print(" ms\n");
    std::fflush(stdout);
  }
}
