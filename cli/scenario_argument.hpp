#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "sim/scenario.hpp"

namespace cli {

/// "SCENARIO [--set path=value]...", which several subcommands take.
struct ScenarioArgument {
  std::string path;
  std::vector<std::string> set;

  void add_to(CLI::App& command);
  /// The scenario; otherwise prints every mistake and leaves with `mistake`.
  sim::Scenario load() const;
};

}  // namespace cli
