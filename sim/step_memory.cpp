#include "sim/step_memory.hpp"

#include <algorithm>
#include <tuple>

#include "base/check.hpp"

namespace sim {

namespace {

/// CUDA context, cuBLAS workspace and NCCL channel buffers, which no tensor counter shows: 1 to
/// 3 GiB on published runs (nvidia-smi against allocated memory); the lower half for few
/// communicators.
const base::Bytes framework_bytes = base::Bytes::from_gib(1.5);

base::Bytes& part_of(Program& program, MemoryPart part) {
  return program.resident[static_cast<std::size_t>(part)];
}

}  // namespace

base::Bytes tensor_bytes(std::int64_t elements, base::DType type) {
  return base::Bytes::from_double(static_cast<double>(elements) * base::bytes_of(type));
}

void StepMemory::change(std::uint32_t task, bool at_end, MemoryPart part,
                        std::int64_t delta_bytes) {
  if (delta_bytes != 0) program_.memory.push_back({task, at_end, part, delta_bytes});
}

void StepMemory::begin_forward(std::uint32_t task, const SavedBytes& saved) {
  change(task, false, MemoryPart::activations, saved.activations.count());
  change(task, false, MemoryPart::logits, saved.logits.count());
}

void StepMemory::begin_backward(std::uint32_t task, base::Bytes working) {
  change(task, false, MemoryPart::activations, working.count());
}

void StepMemory::end_backward(std::uint32_t task, const SavedBytes& saved, base::Bytes working) {
  change(task, true, MemoryPart::activations, -(saved.activations + working).count());
  change(task, true, MemoryPart::logits, -saved.logits.count());
}

void StepMemory::resident(std::int64_t parameters, int shards) {
  const strategies::Precision& p = plan_.precision;
  const std::int64_t shard = (parameters + shards - 1) / shards;
  const std::int64_t optimizer = plan_.zero >= 1 ? shard : parameters;
  part_of(program_, MemoryPart::framework) = framework_bytes;
  if (plan_.zero == 3 && plan_.fsdp.offload && shards > 1) return;  // all of it is on the host
  // FSDP holds its master weights as the parameters and casts while gathering; everyone else
  // keeps a copy in the compute format beside the master weights.
  const bool master_is_parameter = plan_.zero == 3 || p.master == p.parameters;
  part_of(program_, MemoryPart::weights) +=
      plan_.zero == 3 ? tensor_bytes(shard, p.master) : tensor_bytes(parameters, p.parameters);
  part_of(program_, MemoryPart::gradients) +=
      tensor_bytes(plan_.zero >= 2 ? shard : parameters, p.gradients);
  part_of(program_, MemoryPart::optimizer) +=
      tensor_bytes(2 * optimizer, p.moments) +
      (master_is_parameter ? base::Bytes{} : tensor_bytes(optimizer, p.master));
}

void StepMemory::resident_buffer(base::Bytes bytes) {
  part_of(program_, MemoryPart::buffers) += bytes;
}

void StepMemory::finish() {
  std::stable_sort(program_.memory.begin(), program_.memory.end(),
                   [](const MemoryEvent& a, const MemoryEvent& b) {
                     return std::tie(a.task, a.at_end) < std::tie(b.task, b.at_end);
                   });
  std::int64_t balance = 0;
  for (const MemoryEvent& event : program_.memory) balance += event.delta_bytes;
  CHECK_INVARIANT(balance == 0);
}

}  // namespace sim
