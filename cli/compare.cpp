#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/document.hpp"
#include "base/quantity.hpp"
#include "cli/calibration_option.hpp"
#include "cli/commands.hpp"
#include "cli/compare_search.hpp"
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
using sim::compare::PlanSet;

/// Plans of a search that are compared where none is simulated.
constexpr std::size_t shown_of_search = 10;

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
  bool search = false;
  std::string state;
  std::string simulate;
};

/// Nothing without a file.
PlanSet plan_set_or_leave(const CompareOptions& options) {
  if (options.plans.empty()) return {};
  const std::string text = value_or_leave(base::read_file(options.plans));
  return value_or_leave(sim::compare::read_plan_set(text, options.plans));
}

Candidates candidates_or_leave(const CompareOptions& options, const PlanSet& set,
                               const sim::Scenario& scenario) {
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
  if (!options.json.empty() || options.page.wanted()) {
    const std::string json = viz::comparison_json(comparison);
    if (!options.json.empty()) write_output(options.json, json);
    if (options.page.wanted()) options.page.write({json});
  }
  if (!options.csv.empty()) write_output(options.csv, viz::comparison_csv(comparison));
  if (!options.plot.empty())
    write_output(options.plot, viz::comparison_svg(comparison, options.top));
  if (options.json != "-" && options.csv != "-")
    write_output("-",
                 viz::comparison_text(comparison, options.top, {.colour = wants_colour(stdout)}));
}

/// What the answers of a search depend on, as text: the files of the user and this program.
std::string identity_of(const CompareOptions& options, const sim::Scenario& scenario,
                        sim::Fidelity fidelity) {
  std::string text = fmt::format("{}\n{}\n{}\n{}\n{}\n", program_identity(), scenario.cluster_text,
                                 model_text(scenario.model), strategies::describe(scenario.plan),
                                 name_of(fidelity));
  for (const std::string& word : options.scenario.set) text += word + '\n';
  std::vector<std::string> files{options.scenario.path};
  files.insert(files.end(), options.calibration.files.begin(), options.calibration.files.end());
  for (const std::string& file : files)
    if (const auto content = base::read_file(file)) text += *content;
  return text;
}

std::optional<int> simulations(const std::string& word) {
  if (word.empty()) return std::nullopt;
  return word == "all" ? sim::search::kept_candidates : std::stoi(word);
}

/// The plans of the user, and what is found in the space that the axes of the file open.
struct Contest {
  std::vector<PlanForecast> forecasts;
  std::vector<sim::compare::Refused> refused;
  std::optional<sim::search::Summary> search;
  sim::Fidelity fidelity = sim::Fidelity::hybrid;
};

/// Nothing in processes that only help with the search.
std::optional<Contest> search_or_leave(const CompareOptions& options, PlanSet set,
                                       const sim::Scenario& scenario, sim::Fidelity fidelity,
                                       const calibrate::Calibrations& calibrations) {
  const int gpus = static_cast<int>(sim::gpus_of(scenario.placement, scenario.cluster).size());
  const auto space = value_or_leave(sim::search::with_axes(
      sim::search::default_space(scenario.model, scenario.plan, scenario.cluster, gpus), set.axes,
      set.file));
  set.axes.clear();
  Candidates given = candidates_or_leave(options, set, scenario);
  const std::optional<double> gpu_hour =
      scenario.price ? std::optional(scenario.price->gpu_hour) : std::nullopt;
  given.plans.insert(given.plans.begin(), {.name = "the scenario's plan",
                                           .plan = scenario.plan,
                                           .gpu_hour = gpu_hour,
                                           .where = {options.scenario.path},
                                           .combination = false});
  auto found = value_or_leave(search_plans(
      scenario, calibrations, space, fidelity, shown_of_search,
      {options.state, simulations(options.simulate), identity_of(options, scenario, fidelity)}));
  if (!found) return std::nullopt;
  Contest contest;
  contest.search = std::move(found->summary);
  contest.fidelity = found->simulated.empty() ? sim::Fidelity::analytic : fidelity;
  for (Candidate& one : found->estimated) {
    one.gpu_hour = gpu_hour;
    given.plans.push_back(std::move(one));
  }
  contest.forecasts = forecasts_or_leave(scenario, contest.fidelity, calibrations, given);
  contest.refused = std::move(given.refused);
  for (PlanForecast& one : found->simulated) {
    one.gpu_hour = gpu_hour;
    contest.forecasts.push_back(std::move(one));
  }
  return contest;
}

Contest compare_or_leave(const CompareOptions& options, const PlanSet& set,
                         const sim::Scenario& scenario, sim::Fidelity fidelity,
                         const calibrate::Calibrations& calibrations) {
  Candidates candidates = candidates_or_leave(options, set, scenario);
  Contest contest;
  contest.fidelity = fidelity;
  contest.forecasts = forecasts_or_leave(scenario, fidelity, calibrations, candidates);
  contest.refused = std::move(candidates.refused);
  if (!contest.forecasts.empty()) return contest;
  for (const sim::compare::Refused& one : contest.refused) print(one.reasons);
  print({{{options.plans}, "no combination of the axes is a plan for this scenario"}});
  leave_with(infeasible);
  return contest;
}

void compare(const CompareOptions& options) {
  if (options.json == "-" && options.csv == "-") {
    print({{{}, "--json and --csv cannot both go to stdout", "write one of them to a file"}});
    leave_with(wrong_command);
  }
  const sim::Scenario scenario = options.scenario.load();
  const PlanSet set = plan_set_or_leave(options);
  const sim::Fidelity fidelity = fidelity_of(options.fidelity).value_or(scenario.fidelity);
  const calibrate::Calibrations calibrations = options.calibration.load();
  std::optional<Contest> contest =
      options.search ? search_or_leave(options, set, scenario, fidelity, calibrations)
                     : compare_or_leave(options, set, scenario, fidelity, calibrations);
  if (!contest) return;
  Comparison comparison = sim::compare::rank(std::move(contest->forecasts));
  comparison.scenario = scenario.name;
  comparison.model = model_text(scenario.model);
  comparison.cluster = scenario.cluster_text;
  comparison.fidelity = contest->fidelity;
  if (scenario.price) comparison.currency = scenario.price->currency;
  comparison.refused = std::move(contest->refused);
  comparison.search = std::move(contest->search);
  write(options, comparison);
  const PlanForecast& first = comparison.plans.front().forecast;
  if (!first.fits) {
    print({nothing_fits(options, scenario, calibrations, first)});
    leave_with(infeasible);
  }
}

/// CLI11's way: what is wrong, or nothing.
std::string check_simulate(const std::string& word) {
  int plans = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), plans);
  const bool number = error == std::errc() && end == word.data() + word.size();
  return word == "all" || (number && plans >= 0 && plans <= sim::search::kept_candidates)
             ? std::string()
             : fmt::format("'{}' is neither 'all' nor a number from 0 to {}", word,
                           sim::search::kept_candidates);
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
      ->type_name("FILE");
  command->add_flag("--search", options->search,
                    "find the best plans; the axes of --plans say what is varied");
  command
      ->add_option("--state", options->state,
                   "with --search: keep what is known in this file (SQLite), and go on from it")
      ->type_name("FILE")
      ->check(file);
  command
      ->add_option(
          "--simulate", options->simulate,
          "with --search: simulate so many of the best plans, or all that matter; default: "
          "what takes some seconds")
      ->type_name("N|all")
      ->check(CLI::Validator(check_simulate, ""));
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
  command->callback([options] {
    if (options->plans.empty() && !options->search)
      throw CLI::ValidationError("--plans", "say which plans to compare, or --search for the best");
    if (!options->search && (!options->state.empty() || !options->simulate.empty()))
      throw CLI::ValidationError("--search", "is what --state and --simulate go with");
    compare(*options);
  });
}

}  // namespace cli
