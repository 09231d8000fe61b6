#pragma once

#include <string>

#include "calibrate/store/diff.hpp"

namespace viz {

/// What changed from calibration A to B, a line for each thing that was measured, and a verdict on
/// all of it.
std::string calibration_diff_text(const std::string& a, const std::string& b,
                                  const calibrate::store::Difference& difference);

/// "foreshard.calibration_diff.v1": the same with every size.
std::string calibration_diff_json(const std::string& a, const std::string& b,
                                  const calibrate::store::Difference& difference);

}  // namespace viz
