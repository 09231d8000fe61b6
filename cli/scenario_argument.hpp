#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "sim/scenario.hpp"
#include "sim/workload.hpp"

namespace cli {

/// "SCENARIO [--set path=value]...", which several subcommands take.
struct ScenarioArgument {
  std::string path;
  std::vector<std::string> set;

  void add_to(CLI::App& command);
  /// The scenario; otherwise prints every mistake and leaves with `mistake`.
  sim::Scenario load() const;
  /// The same of a file with one job or with several.
  std::variant<sim::Scenario, sim::Workload> load_any() const;

  sim::ScenarioOptions options() const;
};

}  // namespace cli
