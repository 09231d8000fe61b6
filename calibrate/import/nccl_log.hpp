#pragma once

#include "calibrate/import/import.hpp"

namespace calibrate {

/// Logs of NCCL (NCCL_DEBUG=INFO NCCL_DEBUG_SUBSYS=INIT,TUNING,GRAPH) of 2.5 to 2.30: which
/// algorithm and protocol it chose for each operation and size, and what it expected that to take.
///
/// Up to 2.23 a line has the size and the time, and not the operation: --operation says it. From
/// 2.24 on it has the operation and no time: the time is NCCL's own formula applied to the table of
/// latencies and bandwidths that the same process printed before, if it did. Both are the lines of
/// rank 0. There is nothing measured in a log: no record has times, and no fit rests on them. The
/// formats are those of NCCL's src/enqueue.cc and src/graph/tuning.cc.
bool is_nccl_log(std::string_view text);
ImportResult import_nccl_log(std::string_view text, const std::string& file,
                             const ImportOptions& options);

}  // namespace calibrate
