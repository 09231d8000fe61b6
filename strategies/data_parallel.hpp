#pragma once

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/dtype.hpp"
#include "base/map_reader.hpp"
#include "base/units.hpp"

/// How data-parallel ranks reduce gradients and gather parameters: DDP, ZeRO, FSDP.
namespace strategies {

struct Plan;

/// How gradients are put into buckets, each reduced as one. A tensor is never cut.
enum class BucketPolicy {
  megatron,       ///< as they become ready, closed once full (Megatron-Core)
  sequential,     ///< the same after a small first bucket (PyTorch DDP, arXiv 2006.15704)
  deepspeed,      ///< as they become ready, closed before a tensor that would not fit
  best_fit,       ///< largest first, each into the fullest bucket that takes it (ScaleTorch)
  per_parameter,  ///< one each
};

/// After which micro-batches gradients are reduced, when there are several to a step.
enum class GradientSync {
  last,   ///< once (`no_sync` before it)
  every,  ///< each time
  none,   ///< never: data-parallel ranks drift apart
};

/// DDP and ZeRO-1 and -2.
struct Ddp {
  BucketPolicy buckets = BucketPolicy::megatron;
  base::Bytes first_bucket;  ///< `sequential`; 0: chosen by check_plan as PyTorch does
};

/// Which blocks outside the layers stay gathered from forward to backward.
enum class FsdpRoot {
  none,                ///< none: every unit is resharded after its forward
  head,                ///< the head, with which backward begins (torchtitan)
  embedding_and_head,  ///< both, as one unit: what is left to FSDP2's root when layers are wrapped
};

/// Fully sharded data parallel (ZeRO-3): parameters are gathered unit by unit.
struct Fsdp {
  /// Ranks over which a unit lies between its forward and its backward: 0 all its shards, 1 it
  /// stays whole, else groups of so many neighbours (FSDP2's reshard_after_forward).
  int ranks_after_forward = 0;
  int prefetch = 1;                     ///< units gathered ahead of the one that is computed
  std::vector<int> layers_per_unit{1};  ///< one number for all units, or one each
  FsdpRoot root = FsdpRoot::head;
  bool offload = false;  ///< shards of parameters, gradients and optimizer in host memory
  std::optional<base::DType> gather_dtype;  ///< default: precision.parameters
  std::optional<base::DType> reduce_dtype;  ///< default: precision.gradients
};

/// Reads what a plan says of it: `bucket`, `gather_bucket` and the maps `ddp` and `fsdp`, which
/// must go with `zero` and `overlap`, read before.
void read_data_parallel(base::MapReader& reader, Plan& plan);

/// Sets the sizes of buckets that are 0 as those have them whose policy it is.
void choose_buckets(Plan& plan);

/// A mistake at a key of `plan:`.
struct FsdpMistake {
  std::string key;
  std::string message;
  std::string hint;
};
/// How `fsdp` does not fit the degrees of the plan or the layers of the model.
std::vector<FsdpMistake> fsdp_mistakes(const Plan& plan, int layers);

/// "DDP", "HSDP, 2 replicas, offloaded".
std::string describe_data_parallel(const Plan& plan);

}  // namespace strategies
