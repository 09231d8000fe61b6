#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "calibrate/calibrated_profile.hpp"

namespace cli {

/// "[--calibration FILE]...", which every subcommand takes that prices kernels or collectives.
struct CalibrationOption {
  std::vector<std::string> files;

  void add_to(CLI::App& command);
  /// What the files hold, fitted, in their order; null without any. Prints mistakes and leaves with
  /// `mistake`.
  calibrate::Calibrations load() const;
};

}  // namespace cli
