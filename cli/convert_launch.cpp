#include <memory>
#include <string>
#include <vector>

#include "cli/convert.hpp"
#include "cli/node_ranks.hpp"
#include "cli/output.hpp"
#include "cli/scenario_argument.hpp"
#include "strategies/launch/launch.hpp"

namespace cli {

namespace {

namespace launch = strategies::launch;

struct LaunchCommand {
  ScenarioArgument scenario;
  std::string framework;
  std::string output = "-";
};

void convert_launch(const LaunchCommand& command) {
  const sim::Scenario scenario = command.scenario.load();
  const launch::Framework& framework = *launch::find_framework(command.framework);
  launch::Launch made = framework.write({.name = scenario.name,
                                         .model = scenario.model,
                                         .plan = scenario.plan,
                                         .ranks_per_node = ranks_of_fullest_node(scenario)},
                                        framework);
  for (base::Diagnostic& one : made.left_out) one.where = {command.scenario.path};
  print(made.left_out);
  write_output(command.output, made.text);
}

}  // namespace

void add_convert_launch(CLI::App& group) {
  CLI::App* command = group.add_subcommand(
      "launch", "the plan of a scenario as a framework's options; what it lacks goes to stderr");
  const auto options = std::make_shared<LaunchCommand>();
  options->scenario.add_to(*command);
  std::vector<std::string> names;
  for (const launch::Framework& one : launch::frameworks()) names.emplace_back(one.name);
  command->add_option("--for", options->framework, "whose options")
      ->required()
      ->check(CLI::IsMember(names));
  command->add_option("--output", options->output, "where to; - is stdout")
      ->type_name("FILE|-")
      ->capture_default_str()
      ->check(CLI::Validator(check_output_path, ""));
  command->callback([options] { convert_launch(*options); });
}

}  // namespace cli
