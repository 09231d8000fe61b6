#include "cli/scenario_argument.hpp"

#include "cli/forecast.hpp"
#include "cli/value_or_leave.hpp"

namespace cli {

namespace {

std::string check_assignment(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    return "'" + text + "' is not of the form path=value, for example plan.tensor=8";
  return {};
}

}  // namespace

void ScenarioArgument::add_to(CLI::App& command) {
  command.add_option("SCENARIO", path, "scenario file (YAML)")->type_name("FILE")->required();
  command.add_option("--set", set, "change one value of the scenario; may be repeated")
      ->type_name("PATH=VALUE")
      ->allow_extra_args(false)
      ->check(CLI::Validator(check_assignment, ""));
}

sim::ScenarioOptions ScenarioArgument::options() const {
  sim::ScenarioOptions options{path, {}, hardware_folder()};
  for (const std::string& text : set) {
    const std::size_t equals = text.find('=');
    options.set.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  return options;
}

sim::Scenario ScenarioArgument::load() const {
  return value_or_leave(sim::load_scenario(options()));
}

std::variant<sim::Scenario, sim::Workload> ScenarioArgument::load_any() const {
  return value_or_leave(sim::load(options()));
}

}  // namespace cli
