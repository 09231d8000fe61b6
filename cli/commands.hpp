#pragma once

#include <CLI/CLI.hpp>

/// One file per subcommand: each adds itself to the command line with a callback that does the work
/// and ends with `leave_with`.
namespace cli {

void setup_run(CLI::App& app);
void setup_check(CLI::App& app);
void setup_autoshard(CLI::App& app);
void setup_compare(CLI::App& app);
void setup_calibrate(CLI::App& app);
void setup_topology(CLI::App& app);
void setup_place(CLI::App& app);
void setup_validate(CLI::App& app);
void setup_convert(CLI::App& app);
void setup_checkpoint(CLI::App& app);
void setup_view(CLI::App& app);

}  // namespace cli
