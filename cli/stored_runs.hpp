#pragma once

#include <string>
#include <vector>

#include "calibrate/records.hpp"

namespace cli {

/// All runs of an existing calibration. Prints mistakes and leaves with `mistake`.
/// An existing calibration. Prints mistakes and leaves with `mistake`.
calibrate::store::Store open_calibration(const std::string& path, calibrate::store::Access access);

/// All its runs.
std::vector<calibrate::RunRecords> stored_runs(const std::string& path);

}  // namespace cli
