#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "calibrate/records.hpp"

namespace calibrate::store {

/// The runs of a "foreshard.calibration.v1", as `foreshard calibrate export --format json` writes
/// it, every figure exactly as it was. All mistakes are told with their places. Fits are read over:
/// they are made of the rows.
base::Result<std::vector<RunRecords>> read_calibration_json(std::string_view text,
                                                            const std::string& file);

/// Whether a text looks like one.
bool is_calibration_json(std::string_view text);

}  // namespace calibrate::store
