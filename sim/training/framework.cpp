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
    // Of 80, 88, 94 and 110 us what the 240 runs on one node are nearest to (mean error 12, 10, 10,
    // 16 %).
    deepspeed.dispatch = base::Seconds::from_us(90);
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
                  // No run on one node takes less than 4.3 to 4.6 ms a layer and micro-batch, where
                  // 80 us an operator make 3.1 ms.
                  .dispatch = base::Seconds::from_us(115),
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
