#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/document.hpp"
#include "base/quantity.hpp"
#include "cli/calibration_option.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/fidelity_option.hpp"
#include "cli/forecast.hpp"
#include "cli/output.hpp"
#include "cli/page_option.hpp"
#include "cli/plan_forecasts.hpp"
#include "cli/progress.hpp"
#include "cli/scenario_argument.hpp"
#include "cli/value_or_leave.hpp"
#include "sim/compare/comparison.hpp"
#include "sim/memory_advice.hpp"
#include "viz/comparison.hpp"

namespace cli {

namespace {

using sim::compare::Candidate;
using sim::compare::Candidates;
using sim::compare::Comparison;
using sim::compare::PlanForecast;

struct CompareOptions {
  ScenarioArgument scenario;
  CalibrationOption calibration;
  std::string plans;
  std::string fidelity;  ///< that of the scenario when empty
  std::string json;
  std::string csv;
  std::string plot;
  PageOption page;
  std::size_t top = 20;
};

Candidates candidates_or_leave(const CompareOptions& options, const sim::Scenario& scenario) {
  const std::string text = value_or_leave(base::read_file(options.plans));
  const auto set = value_or_leave(sim::compare::read_plan_set(text, options.plans));
  const auto reader =
      value_or_leave(sim::compare::PlanReader::make(options.scenario.options(), scenario));
  return value_or_leave(sim::compare::read_candidates(set, reader, scenario.price));
}

/// The forecasts of those that can be played; a listed plan that cannot is a mistake, a
/// combination joins the refused ones.
std::vector<PlanForecast> forecasts_or_leave(const sim::Scenario& scenario, sim::Fidelity fidelity,
                                             const calibrate::Calibrations& calibrations,
                                             Candidates& candidates) {
  Progress progress("comparing");
  auto answers = forecast_plans(scenario, candidates.plans, calibrations, fidelity,
                                [&](double share) { progress.update(share); });
  std::vector<PlanForecast> forecasts;
  base::Diagnostics mistakes;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const Candidate& plan = candidates.plans[i];
    if (answers[i]) {
      forecasts.push_back(std::move(*answers[i]));
    } else if (plan.combination) {
      candidates.refused.push_back({plan.name, std::move(answers[i].error())});
    } else {
      for (base::Diagnostic& one : answers[i].error()) mistakes.push_back(std::move(one));
      mistakes.push_back({plan.where, fmt::format("plan '{}' has no forecast", plan.name)});
    }
  }
  if (!mistakes.empty()) {
    print(mistakes);
    leave_with(mistake);
  }
  return forecasts;
}

/// What to say when no plan fits: the one that comes nearest, and what would make it fit.
base::Diagnostic nothing_fits(const CompareOptions& options, sim::Scenario scenario,
                              const calibrate::Calibrations& calibrations,
                              const PlanForecast& nearest) {
  scenario.plan = nearest.plan;
  sim::MemoryReport memory;
  memory.peak = nearest.memory_peak;
  memory.capacity = nearest.memory_capacity;
  memory.fits = false;
  const auto made = profile_for(scenario, calibrations);
  return {{options.plans},
          fmt::format("no plan fits: '{}' comes nearest, but its rank {} needs {} of {}",
                      nearest.name, nearest.worst_rank, base::format_bytes(nearest.memory_peak),
                      base::format_bytes(nearest.memory_capacity)),
          made ? sim::advise(scenario, *made->profile, memory) : std::string()};
}

void write(const CompareOptions& options, const Comparison& comparison) {
  const std::string json = viz::comparison_json(comparison);
  if (!options.json.empty()) write_output(options.json, json);
  if (options.page.wanted()) options.page.write({json});
  if (!options.csv.empty()) write_output(options.csv, viz::comparison_csv(comparison));
  if (!options.plot.empty())
    write_output(options.plot, viz::comparison_svg(comparison, options.top));
  if (options.json != "-" && options.csv != "-")
    write_output("-",
                 viz::comparison_text(comparison, options.top, {.colour = wants_colour(stdout)}));
}

void compare(const CompareOptions& options) {
  const sim::Scenario scenario = options.scenario.load();
  Candidates candidates = candidates_or_leave(options, scenario);
  const sim::Fidelity fidelity = fidelity_of(options.fidelity).value_or(scenario.fidelity);
  const calibrate::Calibrations calibrations = options.calibration.load();
  std::vector<PlanForecast> forecasts =
      forecasts_or_leave(scenario, fidelity, calibrations, candidates);
  if (forecasts.empty()) {
    for (const sim::compare::Refused& one : candidates.refused) print(one.reasons);
    print({{{options.plans}, "no combination of the axes is a plan for this scenario"}});
    leave_with(infeasible);
  }
  Comparison comparison = sim::compare::rank(std::move(forecasts));
  comparison.scenario = scenario.name;
  comparison.model = model_text(scenario.model);
  comparison.cluster = scenario.cluster_text;
  comparison.fidelity = fidelity;
  if (scenario.price) comparison.currency = scenario.price->currency;
  comparison.refused = std::move(candidates.refused);
  write(options, comparison);
  const PlanForecast& first = comparison.plans.front().forecast;
  if (!first.fits) {
    print({nothing_fits(options, scenario, calibrations, first)});
    leave_with(infeasible);
  }
}

}  // namespace

void setup_compare(CLI::App& app) {
  CLI::App* command = app.add_subcommand("compare", "compare plans for a scenario");
  const auto options = std::make_shared<CompareOptions>();
  options->scenario.add_to(*command);
  options->calibration.add_to(*command);
  add_fidelity(*command, options->fidelity);
  const CLI::Validator output(check_output_path, "");
  const CLI::Validator file(check_file_path, "");
  command->add_option("--plans", options->plans, "file of plans, a list or axes (YAML)")
      ->type_name("FILE")
      ->required();
  command->add_option("--top", options->top, "plans shown and drawn; JSON and CSV have all")
      ->type_name("N")
      ->check(CLI::Range(1, 10'000).description(""))
      ->capture_default_str();
  command->add_option("--json", options->json, "write the comparison as JSON; - is stdout")
      ->type_name("FILE|-")
      ->check(output);
  command->add_option("--csv", options->csv, "write a row for each plan; - is stdout")
      ->type_name("FILE|-")
      ->check(output);
  command->add_option("--plot", options->plot, "draw time, memory and breakdowns as SVG")
      ->type_name("FILE")
      ->check(file);
  options->page.add_to(*command);
  command->callback([options] { compare(*options); });
}

}  // namespace cli
