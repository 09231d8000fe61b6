#include <fmt/format.h>

#include <memory>

#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/forecast.hpp"
#include "cli/output.hpp"
#include "cli/scenario_argument.hpp"

namespace cli {

namespace {

void check(const ScenarioArgument& argument) {
  const sim::Scenario scenario = argument.load();
  print(scenario.notes);
  if (const auto profile = profile_for(scenario); !profile) {
    print(profile.error());
    leave_with(mistake);
  }
  write_output("-", fmt::format("{}: no mistakes found\n", argument.path));
}

}  // namespace

void setup_check(CLI::App& app) {
  CLI::App* command = app.add_subcommand("check", "find all mistakes of a scenario, run nothing");
  const auto argument = std::make_shared<ScenarioArgument>();
  argument->add_to(*command);
  command->callback([argument] { check(*argument); });
}

}  // namespace cli
