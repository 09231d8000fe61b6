#pragma once

#include "calibrate/import/import.hpp"

namespace calibrate {

bool is_torchcomms(std::string_view text);

/// Tables of torchcomms' collective_perf_test, of the C++ and of the Python program. Sizes are
/// brought to nccl-tests' convention; records keep that the source had another.
ImportResult import_torchcomms(std::string_view text, const std::string& file,
                               const ImportOptions& options);

}  // namespace calibrate
