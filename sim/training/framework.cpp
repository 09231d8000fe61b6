#include "sim/training/framework.hpp"

#include <algorithm>
#include <array>

namespace sim::training {

namespace {

using enum VocabularyPadding;

// Megatron and its children pad to 128 x tp (--make-vocab-size-divisible-by), reduce fp16 gradients
// in fp16 unless told otherwise (--accumulate-allreduce-grads-in-fp32, which bf16 sets), and their
// GPT scripts have dropout 0.1. Before Megatron-Core nothing was overlapped.
const Framework megatron{.name = "Megatron",
                         .padding = tensor_128,
                         .fp16_gradients = true,
                         .fp16_dropout = 0.1,
                         .flash_attention = false,
                         .overlaps_gradients = false,
                         .overlaps_parameters = false};
// The recipes of NVIDIA's own frameworks.
constexpr Framework nemo{
    .name = "NeMo", .padding = tensor_128, .sequence_parallel = true, .zero = 1};

const std::array<Framework, 9>& frameworks() {
  static const std::array<Framework, 9> table = [] {
    Framework deepspeed = megatron;
    deepspeed.name = "Megatron-DeepSpeed";
    deepspeed.buckets = strategies::BucketPolicy::deepspeed;
    Framework bridge = nemo;
    bridge.name = "Megatron-Bridge";
    return std::array<Framework, 9>{
        bridge,
        deepspeed,
        megatron,
        nemo,
        // Its head casts logits to fp32 in a block of its own. PyTorch's DDP; the shards of ZeRO-1
        // are gathered after the optimizer. Its log of peak memory resets the counter after the
        // backward: micro-batches of one and of sixteen sequences print the same.
        Framework{.name = "nanotron",
                  .padding = tensor,
                  .flash_kernels = "flash-attention-2",
                  .overlaps_parameters = false,
                  .buckets = strategies::BucketPolicy::sequential,
                  .eager_loss = true,
                  .stages_by_cost = true,
                  .memory_of_rank_0 = true,
                  .memory_after_backward = true},
        // ALiBi needed the first generation of FlashAttention then.
        Framework{.name = "llm-foundry", .flash_kernels = "flash-attention-1", .zero = 3},
        Framework{.name = "torchtitan",
                  .flash_kernels = "flash-attention-2",
                  .zero = 3,
                  .eager_loss = true},
        Framework{.name = "InternEvo", .zero = 1},
        Framework{.name = "Paxml", .zero = 3},
    };
  }();
  return table;
}

}  // namespace

const Framework& framework_of(const Row& row) {
  static constexpr Framework other;
  const auto found = std::find_if(
      frameworks().begin(), frameworks().end(),
      [&](const Framework& one) { return std::string_view(row.framework).starts_with(one.name); });
  return found == frameworks().end() ? other : *found;
}

}  // namespace sim::training
