#pragma once

#include <string>
#include <vector>

#include "calibrate/records.hpp"

namespace viz {

/// The tables that `foreshard validate` reads: one row for each measurement, with its mean.
std::string collectives_csv(const std::vector<calibrate::RunRecords>& runs);
/// Kinds that the table has no name for are "other", with the kind as first word of the note.
std::string kernels_csv(const std::vector<calibrate::RunRecords>& runs);

}  // namespace viz
