#pragma once

#include <string>
#include <vector>

#include "calibrate/records.hpp"
#include "calibrate/store/store.hpp"

namespace viz {

/// "foreshard.calibration.v1": every run with every row and sample, a line each, and the fits.
/// calibrate::store::read_calibration_json reads it.
std::string calibration_json(const std::vector<calibrate::RunRecords>& runs,
                             const std::vector<calibrate::store::FitRow>& fits);

/// "foreshard.calibration_summary.v1": what calibration_text tells.
std::string calibration_summary_json(const std::string& name,
                                     const std::vector<calibrate::RunRecords>& runs,
                                     const std::vector<calibrate::store::FitRow>& fits);

}  // namespace viz
