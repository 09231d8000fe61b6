#include <fmt/format.h>

#include <memory>

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

void check(const CheckOptions& options) {
  const sim::Scenario scenario = options.scenario.load();
  print(scenario.notes);
  if (const auto made = profile_for(scenario, nullptr); !made) {
    print(made.error());
    leave_with(mistake);
  }
  write_output("-", fmt::format("{}: no mistakes found\n", options.scenario.path));
  if (options.schedule)
    write_output("-", fmt::format("\n{}\n{}", strategies::describe(scenario.plan),
                                  viz::schedule_text(sim::schedule::table_of(scenario.plan))));
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
