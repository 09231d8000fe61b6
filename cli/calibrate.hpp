#pragma once

#include <CLI/CLI.hpp>
#include <string>

/// The subcommands of `calibrate`: one file each, "calibrate_<name>.cpp", that adds itself to the
/// group.
namespace cli {

/// "--db FILE", the calibration that a subcommand reads or writes.
void add_database(CLI::App& command, std::string& path);
/// "--json FILE|-", the answer for programs.
void add_json(CLI::App& command, std::string& path);

void add_calibrate_show(CLI::App& group);
void add_calibrate_export(CLI::App& group);
void add_calibrate_diff(CLI::App& group);
void add_calibrate_merge(CLI::App& group);

void add_calibrate_collectives(CLI::App& group);
void add_calibrate_kernels(CLI::App& group);
void add_calibrate_step(CLI::App& group);
void add_calibrate_doctor(CLI::App& group);
void add_calibrate_fit(CLI::App& group);
void add_calibrate_import(CLI::App& group);
void add_calibrate_replay(CLI::App& group);

}  // namespace cli
