#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/quantity.hpp"
#include "cli/calibration_option.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/fidelity_option.hpp"
#include "cli/forecast.hpp"
#include "cli/graphviz.hpp"
#include "cli/output.hpp"
#include "cli/progress.hpp"
#include "cli/scenario_argument.hpp"
#include "sim/memory_advice.hpp"
#include "viz/viz.hpp"

namespace cli {

namespace {

struct RunOptions {
  ScenarioArgument scenario;
  CalibrationOption calibration;
  std::string fidelity;  ///< that of the scenario when empty
  std::string json;
  std::string trace;
  std::string dot;
  std::string svg;
};

/// "activations 64 GiB, optimizer 11.2 GiB, weights 3.75 GiB": the three to look at first.
std::string largest_parts(const sim::MemoryReport& memory) {
  std::vector<std::pair<base::Bytes, std::string_view>> parts;
  for (int i = 0; i < sim::memory_part_count; ++i)
    parts.emplace_back(memory.parts[static_cast<std::size_t>(i)],
                       sim::name_of(static_cast<sim::MemoryPart>(i)));
  std::stable_sort(parts.begin(), parts.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<std::string> words;
  for (const auto& [bytes, name] : parts)
    if (bytes.count() > 0 && words.size() < 3)
      words.push_back(fmt::format("{} {}", name, base::format_bytes(bytes)));
  return fmt::format("{}", fmt::join(words, ", "));
}

base::Diagnostic does_not_fit(const std::string& path, const sim::MemoryReport& memory) {
  return {{path},
          fmt::format("does not fit: rank {} needs {} of {}; largest: {}", memory.worst_rank,
                      base::format_bytes(memory.peak), base::format_bytes(memory.capacity),
                      largest_parts(memory)),
          memory.advice};
}

Forecast forecast_or_leave(const sim::Scenario& scenario,
                           const calibrate::Calibrations& calibrations, const RunOptions& options) {
  Progress progress("simulating");
  base::Result<Forecast> result =
      forecast(scenario, calibrations, fidelity_of(options.fidelity).value_or(scenario.fidelity),
               [&progress](double share) { progress.update(share); });
  if (!result) {
    print(result.error());
    leave_with(mistake);
  }
  return std::move(*result);
}

void write_pictures(const RunOptions& options, const sim::Scenario& scenario,
                    const Forecast& forecast) {
  if (!options.trace.empty())
    write_output(options.trace, viz::chrome_trace(forecast.graph, forecast.timeline));
  if (options.dot.empty() && options.svg.empty()) return;
  const std::string dot = viz::topology_dot(scenario.cluster, forecast.report.link_utilisation);
  if (!options.dot.empty()) write_output(options.dot, dot);
  if (!options.svg.empty()) write_picture(options.svg, "svg", dot);
}

void run(const RunOptions& options) {
  const sim::Scenario scenario = options.scenario.load();
  const calibrate::Calibrations calibrations = options.calibration.load();
  Forecast answer = forecast_or_leave(scenario, calibrations, options);
  sim::MemoryReport& memory = answer.report.memory;
  if (!memory.fits)
    if (const auto made = profile_for(scenario, calibrations))
      memory.advice = sim::advise(scenario, *made->profile, memory);
  if (!options.json.empty()) write_output(options.json, viz::report_json(answer.report));
  write_pictures(options, scenario, answer);
  if (options.json != "-")
    write_output("-", viz::report_text(answer.report, {.colour = wants_colour(stdout)}));
  if (!memory.fits) {
    print({does_not_fit(options.scenario.path, memory)});
    leave_with(infeasible);
  }
}

}  // namespace

void setup_run(CLI::App& app) {
  CLI::App* command = app.add_subcommand("run", "forecast the step of a scenario");
  const auto options = std::make_shared<RunOptions>();
  options->scenario.add_to(*command);
  options->calibration.add_to(*command);
  add_fidelity(*command, options->fidelity);
  const CLI::Validator output(check_output_path, "");
  const CLI::Validator file(check_file_path, "");
  command->add_option("--json", options->json, "write the report as JSON; - is stdout")
      ->type_name("FILE|-")
      ->check(output);
  command->add_option("--trace", options->trace, "write a trace for ui.perfetto.dev")
      ->type_name("FILE")
      ->check(file);
  command->add_option("--dot", options->dot, "write the cluster with its link loads as DOT")
      ->type_name("FILE")
      ->check(file);
  command->add_option("--svg", options->svg, "the same as a picture, drawn by Graphviz")
      ->type_name("FILE")
      ->check(file);
  command->callback([options] { run(*options); });
}

}  // namespace cli
