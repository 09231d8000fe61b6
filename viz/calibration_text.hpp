#pragma once

#include <string>
#include <vector>

#include "calibrate/records.hpp"
#include "calibrate/store/store.hpp"

namespace viz {

/// What a calibration holds, for people, in about 100 columns: machines, devices, software, runs,
/// what was measured, fits. `name` is that of the file.
std::string calibration_text(const std::string& name,
                             const std::vector<calibrate::RunRecords>& runs,
                             const std::vector<calibrate::store::FitRow>& fits);

/// "8 B", "64 KiB", "1.5 GiB": exact where it is a whole number of them.
std::string bytes_text(double bytes);

}  // namespace viz
