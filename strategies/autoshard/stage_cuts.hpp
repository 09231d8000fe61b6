#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/units.hpp"

/// Where to cut a sequence of layers into pipeline stages.
namespace strategies::autoshard {

struct CutProblem {
  int layers = 0;
  int stages = 1;
  int micro_batches = 1;
  /// Forward and backward of one micro-batch through layers [first, last), when as many
  /// micro-batches are between the two there; nothing: that does not fit. Asked once each.
  std::function<std::optional<base::Seconds>(int first, int last, int in_flight)> stage_time;
};

struct StageCuts {
  std::vector<int> first_layers;  ///< by stage
  std::vector<base::Seconds> times;
  base::Seconds step;  ///< see step_time()
};

/// Of a pipeline: the first micro-batch goes through all stages, the others follow at the pace of
/// the slowest stage (Alpa, arXiv 2201.12023, section 5.1): sum of times + (micro-batches - 1) *
/// the largest. With equal stages this is 1F1B with its bubble of (stages - 1) turns.
base::Seconds step_time(const std::vector<base::Seconds>& times, int micro_batches);

/// The quickest cuts. Under 1F1B the stage that is s-th from the end, counting from 1, has
/// min(s, micro-batches) micro-batches in flight. For each time that a stage may take, the least
/// sum by dynamic programming over the layers that are left. Of equally quick cuts the earliest
/// ones. Nothing: no cuts fit.
std::optional<StageCuts> cut_stages(const CutProblem& problem);

}  // namespace strategies::autoshard
