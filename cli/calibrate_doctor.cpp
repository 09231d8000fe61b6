#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>

#include "calibrate/harness/device.hpp"
#include "calibrate/runtime/loader.hpp"
#include "cli/calibrate.hpp"
#include "cli/exit_code.hpp"
#include "cli/forecast.hpp"
#include "cli/output.hpp"
#include "cli/scenario_argument.hpp"
#include "sim/execute.hpp"

namespace cli {

namespace {

using calibrate::harness::Device;

struct Options {
  std::string scenario;
};

struct Found {
  std::string device;  ///< as the registry has it
  int count = 0;
};

/// A runtime of kernels, with its devices; tells what is there.
Found look_for_compute(const std::string& name) {
  const auto runtime = calibrate::runtime::load_compute(name);
  if (!runtime) {
    fmt::print("  {:<6} kernels    not built: {}\n", name, runtime.error().front().message);
    return {};
  }
  const auto device = Device::open(**runtime, 0);
  if (!device) {
    fmt::print("  {:<6} kernels    {}\n", name, device.error().front().message);
    return {};
  }
  const calibrate::Device described = device->description();
  std::string versions;
  for (const calibrate::Software& one : device->software())
    versions += fmt::format(", {} {}", one.name, one.version);
  fmt::print("  {:<6} kernels    {} x {} ({}){}\n", name, device->count(), described.name,
             described.identity, versions);
  return {described.name, device->count()};
}

bool look_for_network(const std::string& name) {
  const auto runtime = calibrate::runtime::load_network(name);
  fmt::print("  {:<6} messages   {}\n", name,
             runtime ? "there" : "not built: " + runtime.error().front().message);
  return runtime.has_value();
}

/// Share of the kernels' and collectives' time of a step, by what could be measured here.
void tell_of_scenario(const std::string& path, const std::array<Found, 2>& devices) {
  const sim::Scenario scenario = ScenarioArgument{path, {}}.load();
  const auto graph = step_graph(scenario, nullptr);
  if (!graph) {
    print(graph.error());
    leave_with(mistake);
  }
  const std::string& gpu = scenario.cluster.gpu_spec(0).name;
  const auto here = std::find_if(devices.begin(), devices.end(),
                                 [&](const Found& one) { return one.device == gpu; });
  const int ranks = here == devices.end() ? 0 : here->count;
  double all = 0;
  double measurable = 0;
  for (const sim::Task& task : graph->programs.front().tasks) {
    const auto add_collective = [&](std::uint32_t index) {
      const sim::CollectiveUse& use = graph->collectives[index];
      const double time = graph->cost_of(use, 0).total.time.s();
      all += time;
      if (graph->grid.extent(use.axes) <= ranks) measurable += time;
    };
    if (task.kind == sim::TaskKind::collective) add_collective(task.index);
    if (task.kind != sim::TaskKind::run) continue;
    for (const sim::Piece& piece : graph->segments[task.index].pieces) {
      all += piece.compute.s();
      if (ranks > 0) measurable += piece.compute.s();
      if (piece.collective >= 0) add_collective(static_cast<std::uint32_t>(piece.collective));
    }
  }
  const sim::NeededWork needed = sim::needed_work(*graph);
  constexpr double seconds_each = 0.5;  // the budget of calibrate kernels and step
  fmt::print(
      "\n{}: {} kernels and {} collectives of its step, at most {:.0f} s to measure;\n"
      "{:.0f} % of the step's time would then rest on measurements\n",
      path, needed.kernels.size(), needed.collectives.size(),
      seconds_each * static_cast<double>(needed.kernels.size() + needed.collectives.size()),
      all > 0 ? 100 * measurable / all : 0.0);
  if (ranks == 0)
    fmt::print("no {} is here: calibrate on a machine that has them, and bring the file\n", gpu);
  else if (measurable < all)
    fmt::print("groups of more than {} ranks need more of such machines\n", ranks);
}

void examine(const Options& options) {
  fmt::print("What can be measured and executed here\n");
  const std::array<Found, 2> devices{look_for_compute("blas"), look_for_compute("cuda")};
  for (const char* name : {"mpi", "gloo", "nccl"}) look_for_network(name);
  if (!options.scenario.empty()) tell_of_scenario(options.scenario, devices);
}

}  // namespace

void add_calibrate_doctor(CLI::App& group) {
  const auto options = std::make_shared<Options>();
  CLI::App* command = group.add_subcommand(
      "doctor", "what is installed and works, and what calibrating a scenario would take");
  command->add_option("SCENARIO", options->scenario, "scenario file (YAML)")->type_name("FILE");
  command->callback([options] { examine(*options); });
}

}  // namespace cli
