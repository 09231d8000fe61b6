#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>
#include <optional>
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
#include "cli/page_option.hpp"
#include "cli/progress.hpp"
#include "cli/scenario_argument.hpp"
#include "cli/value_or_leave.hpp"
#include "cli/what_if.hpp"
#include "cli/workload.hpp"
#include "sim/link_courses.hpp"
#include "sim/memory_advice.hpp"
#include "viz/timeline_json.hpp"
#include "viz/viz.hpp"
#include "viz/workload.hpp"

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
  bool what_if = false;
  PageOption page;
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
  return value_or_leave(forecast(scenario, calibrations,
                                 fidelity_of(options.fidelity).value_or(scenario.fidelity),
                                 [&progress](double share) { progress.update(share); }));
}

/// How busy links are over the step: finely where few courses differ, else so coarsely that a page
/// stays small.
std::optional<sim::LinkCourses> courses_of(const sim::Scenario& scenario,
                                           const Forecast& forecast) {
  const sim::Fidelity fidelity = forecast.report.fidelity;
  if (fidelity == sim::Fidelity::analytic) return {};
  const auto courses = [&](int intervals, std::size_t courses_max) {
    return sim::link_courses(forecast.graph, forecast.timeline, scenario.cluster,
                             sim::place_ranks(scenario), engine_options(scenario, fidelity),
                             intervals, courses_max);
  };
  constexpr std::ptrdiff_t finely_links_max = 20'000;  // else its memory would count
  const std::vector<double>& bytes = forecast.timeline.link_bytes;
  if (std::count_if(bytes.begin(), bytes.end(), [](double b) { return b > 0; }) <= finely_links_max)
    if (sim::LinkCourses fine = courses(2000, 200); fine.complete) return fine;
  return courses(200, 2000);
}

void write_pictures(const RunOptions& options, const sim::Scenario& scenario,
                    const Forecast& forecast, const std::optional<sim::LinkCourses>& courses) {
  if (!options.trace.empty()) {
    constexpr std::size_t traced = 8;
    write_output(
        options.trace,
        viz::chrome_trace(forecast.graph, forecast.timeline,
                          courses ? viz::busiest_links(scenario.cluster, *courses,
                                                       forecast.report.link_utilisation, traced)
                                  : std::vector<viz::LinkCounter>{}));
  }
  if (options.dot.empty() && options.svg.empty()) return;
  const std::string dot = viz::topology_dot(scenario.cluster, forecast.report.link_utilisation);
  if (!options.dot.empty()) write_output(options.dot, dot);
  if (!options.svg.empty()) write_picture(options.svg, "svg", dot);
}

/// What the page of a step shows: the report, the step over time, the cluster with the use of its
/// links, and where the ranks are.
std::vector<std::string> documents_of(const RunOptions& options, const sim::Scenario& scenario,
                                      const Forecast& forecast,
                                      const std::optional<sim::LinkCourses>& courses) {
  sim::Report report = forecast.report;
  if (!options.what_if && quick_to_play(forecast.timeline))
    report.what_if = play_changes(scenario, forecast, report.fidelity);
  return {viz::report_json(report),
          viz::timeline_json(scenario.name, forecast.graph, forecast.timeline),
          topology_document(scenario, options.scenario.path, report.link_utilisation,
                            courses ? &*courses : nullptr),
          viz::ranks_json(forecast.graph, scenario.cluster, sim::place_ranks(scenario))};
}

/// Pictures and engines that several jobs do not have.
void refuse(const RunOptions& options, const sim::Workload& workload, sim::Fidelity fidelity) {
  base::Diagnostics problems;
  const base::SourceRef where{options.scenario.path};
  if (!options.trace.empty() || !options.dot.empty() || !options.svg.empty())
    problems.push_back({where, "--trace, --dot and --svg draw one job, but there are several",
                        "--json has all there is"});
  if (options.what_if)
    problems.push_back({where, "--what-if changes one job, but there are several",
                        "run the scenario of each alone"});
  if (workload.policies.empty() && fidelity == sim::Fidelity::analytic)
    problems.push_back({where, "jobs cannot meet in the analytic engine, which has no links",
                        "take --fidelity hybrid or flow"});
  if (problems.empty()) return;
  print(problems);
  leave_with(mistake);
}

void run_workload(const RunOptions& options, const sim::Workload& workload) {
  const sim::Scenario& common = workload.jobs.front().scenario;
  const sim::Fidelity fidelity = fidelity_of(options.fidelity).value_or(common.fidelity);
  refuse(options, workload, fidelity);
  const calibrate::Calibrations calibrations = options.calibration.load();
  const viz::WorkloadHead head{workload.name, common.cluster_text, workload.notes};
  const viz::TextOptions text{.colour = wants_colour(stdout)};
  print(workload.notes);
  std::string json;
  std::string page;
  if (workload.policies.empty()) {
    Progress progress("simulating");
    const auto answer = value_or_leave(forecast_together(
        workload, calibrations, fidelity, [&](double share) { progress.update(share); }));
    json = viz::contention_json(head, answer.reports, answer.contention);
    page = viz::contention_text(head, answer.contention, text);
  } else {
    const auto answer = value_or_leave(forecast_queue(workload, calibrations));
    json = viz::queue_json(head, answer.names, answer.runs);
    page = viz::queue_text(head, answer.names, answer.runs, text);
  }
  if (!options.json.empty()) write_output(options.json, json);
  if (options.page.wanted()) options.page.write({json});
  if (options.json != "-") write_output("-", page);
}

void run(const RunOptions& options) {
  const auto loaded = options.scenario.load_any();
  if (const auto* workload = std::get_if<sim::Workload>(&loaded))
    return run_workload(options, *workload);
  const auto& scenario = std::get<sim::Scenario>(loaded);
  const calibrate::Calibrations calibrations = options.calibration.load();
  Forecast answer = forecast_or_leave(scenario, calibrations, options);
  sim::MemoryReport& memory = answer.report.memory;
  if (!memory.fits)
    if (const auto made = profile_for(scenario, calibrations))
      memory.advice = sim::advise(scenario, *made->profile, memory);
  if (options.what_if)
    answer.report.what_if = play_changes(scenario, answer, answer.report.fidelity);
  if (!options.json.empty()) write_output(options.json, viz::report_json(answer.report));
  std::optional<sim::LinkCourses> courses;
  if (!options.trace.empty() || options.page.wanted()) courses = courses_of(scenario, answer);
  write_pictures(options, scenario, answer, courses);
  if (options.page.wanted()) options.page.write(documents_of(options, scenario, answer, courses));
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
  command->add_flag("--what-if", options->what_if,
                    "simulate the step again with faster links, kernels and launches");
  options->page.add_to(*command);
  command->callback([options] { run(*options); });
}

}  // namespace cli
