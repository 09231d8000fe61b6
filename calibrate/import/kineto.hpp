#pragma once

#include "calibrate/import/import.hpp"

namespace calibrate {

bool is_kineto(std::string_view text);

/// A trace of PyTorch's profiler (Chrome JSON) of one rank. Kernels are matched to their operators,
/// which need shapes (record_shapes=True); launches of one operator count as one, equal operators
/// become one record with their times as samples. What is not matched is told in notes, with its
/// time. `--nodes` are those of the job.
ImportResult import_kineto(std::string_view text, const std::string& file,
                           const ImportOptions& options);

}  // namespace calibrate
