#pragma once

#include "calibrate/import/import.hpp"

namespace calibrate {

bool is_nccl_inspector(std::string_view text);

/// Dumps of NCCL's inspector plug-in: a JSON object for each collective of each rank. Collectives
/// of one operation, size and group become one record with their times as samples.
ImportResult import_nccl_inspector(std::string_view text, const std::string& file,
                                   const ImportOptions& options);

}  // namespace calibrate
