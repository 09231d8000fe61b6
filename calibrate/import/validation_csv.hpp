#pragma once

#include "calibrate/import/import.hpp"

namespace calibrate {

bool is_validation_csv(std::string_view text);

/// Tables of published measurements, of collectives (`collective`, `size_bytes`, `time_us`, …: see
/// read_collective_rows) or of kernels (read_kernel_rows). Each sweep is a run, without the column
/// `sweep` each source is. Rows that are no single call or kernel are counted in a note.
ImportResult import_validation_csv(std::string_view text, const std::string& file,
                                   const ImportOptions& options);

}  // namespace calibrate
