#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/units.hpp"

/// Where to cut a sequence of layers into pipeline stages.
namespace strategies::autoshard {

struct StageTime {
  base::Seconds micro_batch;  ///< forward and backward of one
  base::Seconds once;         ///< a step: gradients come to rest, the optimizer

  bool operator==(const StageTime&) const = default;
};

/// A stage that may be: layers [first, last), with so many micro-batches between their forward and
/// their backward.
struct StageRange {
  int stage = 0;
  int first = 0;
  int last = 0;
  int in_flight = 1;
};

struct CutProblem {
  int layers = 0;
  int stages = 1;
  int micro_batches = 1;
  /// Nothing: that does not fit. \pre more layers are not quicker, nor do they fit where fewer do
  /// not.
  std::function<std::optional<StageTime>(const StageRange&)> stage_time;
};

struct StageCuts {
  std::vector<int> first_layers;  ///< by stage
  std::vector<StageTime> times;
  base::Seconds step;  ///< see step_time()
};

/// Of a pipeline: the first micro-batch goes through all stages, the others follow at the pace of
/// the slowest stage, which then does what it does once: sum of micro-batches + max of
/// ((micro-batches - 1) * micro-batch + once). Without `once` this is Alpa's (arXiv 2201.12023,
/// section 5.1), and with equal stages 1F1B with its bubble of (stages - 1) turns. That stages
/// before the slowest run their last backward meanwhile is left out.
base::Seconds step_time(const std::vector<StageTime>& times, int micro_batches);

/// The micro-batches in flight in a stage under 1F1B: as many as stages are left, this one too.
int in_flight(int stage, int stages, int micro_batches);

/// The quickest cuts. For each time that a stage may take, the least sum by dynamic programming
/// over the layers that are left. Of equally quick cuts the earliest ones. Nothing: no cuts fit.
std::optional<StageCuts> cut_stages(const CutProblem& problem);

}  // namespace strategies::autoshard
