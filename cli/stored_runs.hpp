#pragma once

#include <string>
#include <vector>

#include "calibrate/records.hpp"

namespace cli {

/// All runs of an existing calibration. Prints mistakes and leaves with `mistake`.
std::vector<calibrate::RunRecords> stored_runs(const std::string& path);

}  // namespace cli
