#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

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

/// Seconds of the average rank's kernels, collectives, messages and copies, and those of them that
/// a calibration here would know.
struct StepTime {
  double all = 0;
  double measurable = 0;

  void add(double seconds, bool can_be_measured) {
    all += seconds;
    if (can_be_measured) measurable += seconds;
  }
};

/// `devices`: how many of the scenario's are here.
StepTime step_time(const sim::StepGraph& graph, int devices) {
  std::vector<double> ranks_of(graph.programs.size(), 0);
  for (const std::uint16_t program : graph.program_of_rank) ranks_of[program] += 1;
  StepTime time;
  for (std::size_t p = 0; p < graph.programs.size(); ++p) {
    const auto add_collective = [&](std::uint32_t index) {
      const sim::CollectiveUse& use = graph.collectives[index];
      time.add(ranks_of[p] * graph.cost_of(use, 0).total.time.s(),
               graph.grid.extent(use.axes) <= devices);
    };
    for (const sim::Task& task : graph.programs[p].tasks) {
      if (task.kind == sim::TaskKind::collective) add_collective(task.index);
      if (task.kind == sim::TaskKind::send)
        time.add(ranks_of[p] * graph.messages[task.index].cost.front().total.time.s(),
                 devices >= 2);
      if (task.kind == sim::TaskKind::copy)
        time.add(ranks_of[p] * graph.copies[task.index].cost.time.s(), false);
      if (task.kind != sim::TaskKind::run) continue;
      for (const sim::Piece& piece : graph.segments[task.index].pieces) {
        // What has no kernels is the host that launches them.
        time.add(ranks_of[p] * piece.compute.s(), devices > 0 && piece.kernel_count > 0);
        if (piece.collective >= 0) add_collective(static_cast<std::uint32_t>(piece.collective));
      }
    }
  }
  return time;
}

/// Seconds that it takes to measure what the step needs: each thing until its budget is used up,
/// but one batch at least, by its forecast.
double measuring_time(const sim::StepGraph& graph, const sim::NeededWork& needed) {
  constexpr double budget = 0.5;       // that calibrate kernels and step give each
  constexpr double kernel_times = 12;  // warm-up and batch of calibrate step
  constexpr double collective_times = 25;
  std::vector<double> of_kernel(needed.kernels.size(), 0);
  for (const sim::Segment& segment : graph.segments)
    for (const sim::Piece& piece : segment.pieces)
      for (std::uint32_t i = 0; i < piece.kernel_count; ++i) {
        const auto place = std::find(needed.kernels.begin(), needed.kernels.end(),
                                     graph.kernels[piece.first_kernel + i]);
        if (place == needed.kernels.end()) continue;
        double& longest = of_kernel[static_cast<std::size_t>(place - needed.kernels.begin())];
        longest = std::max(longest, piece.compute.s() / piece.kernel_count);
      }
  double sum = 0;
  for (const double seconds : of_kernel) sum += std::max(budget, kernel_times * seconds);
  double longest = 0;
  for (const sim::CollectiveUse& use : graph.collectives)
    longest = std::max(longest, graph.cost_of(use, 0).total.time.s() / use.parts);
  return sum + static_cast<double>(needed.collectives.size()) *
                   std::max(budget, collective_times * longest);
}

/// "40 s", "4 minutes".
std::string duration_text(double seconds) {
  return seconds < 120 ? fmt::format("{:.0f} s", seconds)
                       : fmt::format("{:.0f} minutes", std::round(seconds / 60));
}

/// What a calibration for a scenario would take here, and how much of its step it would cover.
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
  const StepTime time = step_time(*graph, ranks);
  const sim::NeededWork needed = sim::needed_work(*graph);
  fmt::print(
      "\n{}: {} kernels and {} collectives of its step, at most {} to measure;\n"
      "{:.0f} % of the step's time would then rest on measurements\n",
      path, needed.kernels.size(), needed.collectives.size(),
      duration_text(measuring_time(*graph, needed)),
      time.all > 0 ? 100 * time.measurable / time.all : 0.0);
  if (ranks == 0)
    fmt::print("no {} is here: calibrate on a machine that has them, and bring the file\n", gpu);
  else if (time.measurable < time.all)
    fmt::print(
        "the rest is the host's, or of groups of more than {} ranks, which need more of such "
        "machines\n",
        ranks);
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
