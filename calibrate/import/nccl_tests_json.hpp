#pragma once

#include "calibrate/import/import.hpp"

namespace calibrate {

bool is_nccl_tests_json(std::string_view text);

/// JSON output of nccl-tests (-J), versions 1 to 3; several of them when each begins on a line of
/// its own.
ImportResult import_nccl_tests_json(std::string_view text, const std::string& file,
                                    const ImportOptions& options);

}  // namespace calibrate
