#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "sim/engine.hpp"

namespace cli {

/// "--fidelity analytic|hybrid|flow", which several subcommands take; `name` is empty without.
void add_fidelity(CLI::App& command, std::string& name);

/// Nothing for an empty name.
std::optional<sim::Fidelity> fidelity_of(std::string_view name);

}  // namespace cli
