#include "sim/stage_memory.hpp"

#include <algorithm>
#include <cstdint>

#include "sim/library_memory.hpp"

namespace sim {

using base::Bytes;

Bytes kept_bytes(const Stage& stage, int chunk, Range units) {
  Bytes sum;
  for (int unit = units.first; unit < units.end; ++unit) sum += stage.block(chunk, unit).saved;
  return sum;
}

Bytes kept_for_weight_bytes(const Stage& stage, int chunk, Range units) {
  Bytes sum;
  for (int unit = units.first; unit < units.end; ++unit)
    sum += stage.block(chunk, unit).kept_for_weight;
  return sum;
}

Bytes working_bytes(const Stage& stage, int chunk, Range units) {
  Bytes most;
  Bytes given_back;
  for (int unit = units.end; unit-- > units.first;) {
    const strategies::ShardedBlock& block = stage.block(chunk, unit);
    if (block.working > given_back) most = std::max(most, block.working - given_back);
    given_back += block.saved;
  }
  return most;
}

namespace {

/// Reduce-scatters of a stage's tensor ranks in one micro-batch that run beside kernels. Each reads
/// a tensor of all tokens that nothing else needs.
std::int64_t hidden_reductions(const Stage& stage) {
  std::int64_t count = 0;
  const auto add = [&](const std::vector<strategies::Work>& works) {
    for (const strategies::Work& work : works)
      if (work.communication && !work.kernels.empty() &&
          work.communication->op == base::Collective::reduce_scatter &&
          work.communication->axes == strategies::Axis::tensor)
        ++count;
  };
  for (int chunk = 0; chunk < stage.chunks(); ++chunk) {
    const Range all = stage.whole(chunk);
    for (int unit = all.first; unit < all.end; ++unit) {
      add(stage.block(chunk, unit).forward);
      add(stage.block(chunk, unit).backward);
    }
  }
  return count;
}

}  // namespace

void hold_stage(const strategies::Plan& plan, const strategies::ShardedGraph& sharded,
                const Stage& stage, const topology::GpuSpec& gpu, StepMemory& memory) {
  int c = 0;
  for (const ParameterClass& its : stage.classes()) {
    memory.hold_model(stage.parameters(c), its.shards, stage.optimizer_work(its).states,
                      c == 0 ? "parameters" : "parameters of experts");
    ++c;
  }
  // What Megatron calls its global memory buffer: tokens gathered over the tensor ranks, for the
  // input and for the gradient, kept from one use to the next.
  if (plan.sequence_parallel && plan.tensor > 1)
    memory.hold(MemoryPart::buffers, sharded.boundary * (2 * plan.tensor),
                "gathered tokens and gradients");
  if (plan.execution.deferred_frees > 0)
    memory.hold(MemoryPart::deferred,
                sharded.boundary * plan.tensor *
                    std::min<std::int64_t>(plan.execution.deferred_frees,
                                           hidden_reductions(stage) * plan.micro_batches()),
                "tokens that tensor ranks have yet to reduce");
  memory.hold(MemoryPart::buffers, workspace_bytes(gpu), "cuBLAS workspaces");
  memory.hold(MemoryPart::framework, context_bytes(), "context");
}

}  // namespace sim
