#pragma once

#include <CLI/CLI.hpp>

/// The group `convert`: each file adds its subcommands.
namespace cli {

void add_convert_throughput(CLI::App& group);  ///< sps2tpd and sps2mfu
void add_convert_launch(CLI::App& group);

}  // namespace cli
