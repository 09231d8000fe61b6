#pragma once

#include <string_view>

#include "base/units.hpp"
#include "sim/training/row.hpp"
#include "strategies/data_parallel.hpp"

namespace sim::training {

/// To what a framework rounds the vocabulary up, so that it divides over tensor-parallel ranks.
enum class VocabularyPadding { none, tensor, tensor_128 };

/// What a framework does unless a row says otherwise.
struct Framework {
  std::string_view name;  ///< the start of the column's text
  VocabularyPadding padding = VocabularyPadding::none;
  bool fp16_gradients = false;  ///< an fp16 run accumulates and reduces in fp16
  double fp16_dropout = 0;      ///< of its fp16 runs
  bool flash_attention = true;
  std::string_view flash_kernels;  ///< a name of scenarios/hardware/kernels; empty: the usual ones
  bool overlaps_gradients = true;
  bool overlaps_parameters = true;
  bool sequence_parallel = false;
  int zero = 0;
  /// Host time to launch one operator, see Plan::operator_dispatch.
  base::Seconds dispatch = base::Seconds::from_us(80);
  strategies::BucketPolicy buckets = strategies::BucketPolicy::megatron;
  bool eager_loss = false;        ///< cross-entropy of torch.nn.functional
  bool stages_by_cost = false;    ///< the head counts as so many layers as its matrix is larger
  bool memory_of_rank_0 = false;  ///< peaks are printed by rank 0, not by the fullest
  /// Peaks are printed since a reset after the last backward, so that no activation is in them.
  bool memory_after_backward = false;
};

/// The row's framework; one without habits of its own when it is none of those known.
const Framework& framework_of(const Row& row);

}  // namespace sim::training
