#include <fmt/format.h>

#include <memory>
#include <variant>
#include <vector>

#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/forecast.hpp"
#include "cli/output.hpp"
#include "cli/scenario_argument.hpp"
#include "sim/schedule/schedule.hpp"
#include "viz/viz.hpp"

namespace cli {

namespace {

struct CheckOptions {
  ScenarioArgument scenario;
  bool schedule = false;
};

void check_prices(const sim::Scenario& scenario) {
  if (const auto made = profile_for(scenario, nullptr); !made) {
    print(made.error());
    leave_with(mistake);
  }
}

void draw_schedule(const sim::Scenario& scenario) {
  write_output("-", fmt::format("\n{}\n{}", strategies::describe(scenario.plan),
                                viz::schedule_text(sim::schedule::table_of(scenario.plan))));
}

void check(const CheckOptions& options) {
  const auto loaded = options.scenario.load_any();
  std::vector<const sim::Scenario*> scenarios;
  if (const auto* workload = std::get_if<sim::Workload>(&loaded)) {
    print(workload->notes);
    for (const sim::WorkloadJob& job : workload->jobs) scenarios.push_back(&job.scenario);
  } else {
    scenarios.push_back(std::get_if<sim::Scenario>(&loaded));
    print(scenarios.front()->notes);
  }
  for (const sim::Scenario* scenario : scenarios) check_prices(*scenario);
  write_output("-", fmt::format("{}: no mistakes found\n", options.scenario.path));
  if (options.schedule)
    for (const sim::Scenario* scenario : scenarios) draw_schedule(*scenario);
}

}  // namespace

void setup_check(CLI::App& app) {
  CLI::App* command = app.add_subcommand("check", "find all mistakes of a scenario, run nothing");
  const auto options = std::make_shared<CheckOptions>();
  options->scenario.add_to(*command);
  command->add_flag("--schedule", options->schedule, "draw the pipeline schedule, too");
  command->callback([options] { check(*options); });
}

}  // namespace cli
