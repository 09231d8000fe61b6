#pragma once

#include <vector>

#include "base/units.hpp"
#include "strategies/plan.hpp"

namespace sim {

/// When a bucket is closed, in bytes.
struct BucketSizes {
  base::Bytes first;  ///< of the first bucket, when the policy has one of another size
  base::Bytes size;
};

/// The bucket of each of `tensors`, which are listed in the order in which their gradients become
/// ready. Buckets are numbered by when they are complete, from 0 without a gap.
///
/// `megatron` and `sequential` close a bucket as soon as it holds its size (Megatron-Core,
/// param_and_grad_buffer.py; PyTorch, compute_bucket_assignment_by_size), `deepspeed` before a
/// tensor that would take it beyond (DeepSpeed, stage_1_and_2.py). `best_fit` is best-fit
/// decreasing: the largest tensor first, each into the bucket with the least room that takes it. A
/// tensor of more than the size has a bucket of its own there.
std::vector<int> assign_buckets(const std::vector<base::Bytes>& tensors,
                                strategies::BucketPolicy policy, const BucketSizes& sizes);

}  // namespace sim
