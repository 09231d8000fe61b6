#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "calibrate/store/store.hpp"

/// Calibration files as subcommands take them.
namespace cli {

/// The file opened; tells what is wrong with it and leaves otherwise.
calibrate::store::Store open_calibration(const std::string& path, calibrate::store::Access access);

/// "--run ID": the first digits of a run's name are enough.
void add_run(CLI::App& command, std::string& prefix);

/// All runs of a file, or the one whose name begins so. Tells what is wrong with it, and leaves,
/// when there is none, or there are several.
std::vector<calibrate::RunRecords> runs_of(const calibrate::store::Store& store,
                                           const std::string& prefix);

}  // namespace cli
