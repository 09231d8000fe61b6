#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/units.hpp"
#include "sim/step_graph.hpp"
#include "strategies/plan.hpp"

namespace sim {

/// A tensor of `elements` of this format, to the nearest byte.
base::Bytes tensor_bytes(std::int64_t elements, base::DType type);

/// What a caching allocator holds beside tensors that come and go: blocks of rounded sizes (512 B,
/// and 2 or 20 MiB a segment) that tensors of other sizes come to lie in. What stays is allocated
/// once, side by side.
base::Bytes fragmentation(base::Bytes tensors);

/// Tensors that are kept from the forward of a micro-batch to its backward.
struct KeptTensors {
  MemoryPart part = MemoryPart::activations;
  std::string what;  ///< "8 x layer"
  base::Bytes bytes;
};

/// Keeps the books of one program's memory: what is held during the whole step, and what comes and
/// goes with its tasks.
class StepMemory {
 public:
  StepMemory(const strategies::Plan& plan, Program& program) : plan_(plan), program_(program) {}

  void change(std::uint32_t task, bool at_end, MemoryPart part, std::int64_t delta_bytes,
              const std::string& what = {});
  void keep(std::uint32_t task, const std::vector<KeptTensors>& tensors);
  void drop(std::uint32_t task, const std::vector<KeptTensors>& tensors);
  /// While a task runs.
  void during(std::uint32_t task, MemoryPart part, base::Bytes bytes, const std::string& what);
  /// Adds weights, gradients, master weights and optimizer states of `parameters` held by a
  /// tensor-parallel rank, cut in `shards` as the ZeRO stage says (arXiv 1910.02054), but for what
  /// is on the host. Once for each class of parameters, whose rank keeps `states`.
  void hold_model(std::int64_t parameters, int shards, base::Bytes states, const std::string& what);
  void hold(MemoryPart part, base::Bytes bytes, const std::string& what);
  /// Orders the events; checks that everything that came has gone.
  void finish();

 private:
  std::uint32_t name(const std::string& what);

  const strategies::Plan& plan_;
  Program& program_;
  std::map<std::string, std::uint32_t> names_;
};

}  // namespace sim
