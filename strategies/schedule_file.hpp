#pragma once

#include <vector>

#include "base/document.hpp"
#include "strategies/pipeline.hpp"

namespace strategies {

/// A schedule written by the user, with the place of each word for messages.
struct WrittenSchedule {
  ScheduleTable table;
  base::SourceRef where;              ///< of the file
  std::vector<base::SourceRef> rows;  ///< by stage
  /// By stage and cell; of a row that is folded over several lines, where it begins.
  std::vector<std::vector<base::SourceRef>> cells;
};

/// Reads `{layout: interleaved, stages: ["F0 F1 B0 W0", …]}`: a row of cells for each stage. `F3`
/// is the forward of micro-batch 3, `B3` its backward or, where the row has a `W3`, the gradient of
/// its input, `W3` that of its weights; `.1` after them names the chunk, `+` between two cells lets
/// them run at once. Micro-batches and, if interleaved, chunks are as many as are named. Whether
/// such a schedule can run is left to sim::schedule::check.
base::Result<WrittenSchedule> read_schedule(const base::Document& document);

}  // namespace strategies
