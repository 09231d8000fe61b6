#pragma once

#include <CLI/CLI.hpp>

/// The subcommands of `topology`: one file each, "topology_<name>.cpp", that adds itself to the
/// group.
namespace cli {

void add_topology_import(CLI::App& group);
void add_topology_show(CLI::App& group);
void add_topology_diff(CLI::App& group);
void add_topology_render(CLI::App& group);

}  // namespace cli
