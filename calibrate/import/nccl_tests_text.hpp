#pragma once

#include "calibrate/import/import.hpp"

namespace calibrate {

/// Whether a text looks like output of nccl-tests.
bool is_nccl_tests_text(std::string_view text);

/// Text output of nccl-tests 2.13 to 2.19 and of rccl-tests: any number of sweeps in one log, with
/// other lines between. Each sweep is a run; out of place and in place are two records.
ImportResult import_nccl_tests_text(std::string_view text, const std::string& file,
                                    const ImportOptions& options);

}  // namespace calibrate
