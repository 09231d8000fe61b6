#include "sim/step_memory.hpp"

#include <algorithm>
#include <tuple>

#include "base/check.hpp"

namespace sim {

base::Bytes tensor_bytes(std::int64_t elements, base::DType type) {
  return base::Bytes::from_double(static_cast<double>(elements) * base::bytes_of(type));
}

base::Bytes fragmentation(base::Bytes tensors) {
  constexpr double share = 0.08;
  return base::Bytes::from_double(tensors.as_double() * share);
}

std::uint32_t StepMemory::name(const std::string& what) {
  if (what.empty()) return 0;
  const auto [entry, fresh] =
      names_.try_emplace(what, static_cast<std::uint32_t>(program_.memory_names.size()));
  if (fresh) program_.memory_names.push_back(what);
  return entry->second;
}

void StepMemory::change(std::uint32_t task, bool at_end, MemoryPart part, std::int64_t delta_bytes,
                        const std::string& what) {
  if (delta_bytes != 0) program_.memory.push_back({task, at_end, part, delta_bytes, name(what)});
}

void StepMemory::keep(std::uint32_t task, const std::vector<KeptTensors>& tensors) {
  for (const KeptTensors& one : tensors)
    change(task, /*at_end=*/false, one.part, one.bytes.count(), one.what);
}

void StepMemory::drop(std::uint32_t task, const std::vector<KeptTensors>& tensors) {
  for (const KeptTensors& one : tensors)
    change(task, /*at_end=*/true, one.part, -one.bytes.count(), one.what);
}

void StepMemory::during(std::uint32_t task, MemoryPart part, base::Bytes bytes,
                        const std::string& what) {
  change(task, /*at_end=*/false, part, bytes.count(), what);
  change(task, /*at_end=*/true, part, -bytes.count(), what);
}

void StepMemory::hold_model(std::int64_t parameters, int shards, base::Bytes states,
                            const std::string& what) {
  const strategies::Precision& p = plan_.precision;
  const std::int64_t shard = base::ceil_div(parameters, shards);
  const std::int64_t optimizer = plan_.zero >= 1 ? shard : parameters;
  if (plan_.zero == 3 && plan_.fsdp.offload && shards > 1) return;  // all of it is on the host
  // FSDP holds its master weights as the parameters and casts while gathering; everyone else
  // keeps a copy in the compute format beside the master weights.
  const bool master_is_parameter = plan_.zero == 3 || p.master == p.parameters;
  hold(MemoryPart::weights,
       plan_.zero == 3 ? tensor_bytes(shard, p.master) : tensor_bytes(parameters, p.parameters),
       what);
  hold(MemoryPart::gradients, tensor_bytes(plan_.zero >= 2 ? shard : parameters, p.gradients),
       what);
  if (plan_.offload.optimizer) return;
  if (!master_is_parameter)
    hold(MemoryPart::master_weights, tensor_bytes(optimizer, p.master), what);
  hold(MemoryPart::optimizer, states, what);
}

void StepMemory::hold(MemoryPart part, base::Bytes bytes, const std::string& what) {
  if (bytes.count() > 0) program_.held.push_back({part, bytes, name(what)});
}

void StepMemory::finish() {
  std::stable_sort(program_.memory.begin(), program_.memory.end(),
                   [](const MemoryEvent& a, const MemoryEvent& b) {
                     return std::tie(a.task, a.at_end) < std::tie(b.task, b.at_end);
                   });
  std::map<std::pair<MemoryPart, std::uint32_t>, std::int64_t> balances;
  for (const MemoryEvent& event : program_.memory)
    balances[{event.part, event.what}] += event.delta_bytes;
  for (const auto& [tensors, balance] : balances) CHECK_INVARIANT(balance == 0);
}

}  // namespace sim
