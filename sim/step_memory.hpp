#pragma once

#include <vector>

#include "base/units.hpp"
#include "sim/step_graph.hpp"
#include "strategies/plan.hpp"

namespace sim {

/// A tensor of `elements` of this format, to the nearest byte.
base::Bytes tensor_bytes(std::int64_t elements, base::DType type);

/// Bytes kept from the forward of a micro-batch to its backward.
struct SavedBytes {
  base::Bytes activations;
  base::Bytes logits;  ///< of the head: logits and the fp32 softmax
};

/// Keeps the books of one program's memory: what is held during the whole step, and what comes and
/// goes with its tasks.
class StepMemory {
 public:
  StepMemory(const strategies::Plan& plan, Program& program) : plan_(plan), program_(program) {}

  void change(std::uint32_t task, bool at_end, MemoryPart part, std::int64_t delta_bytes);
  void begin_forward(std::uint32_t task, const SavedBytes& saved);
  void begin_backward(std::uint32_t task, base::Bytes working);
  void end_backward(std::uint32_t task, const SavedBytes& saved, base::Bytes working);
  /// Adds weights, gradients and optimizer states of `parameters` held by a tensor-parallel rank,
  /// cut in `shards` as the ZeRO stage says (arXiv 1910.02054); with offloading they are on the
  /// host. Once for each class of parameters.
  void resident(std::int64_t parameters, int shards);
  void resident_buffer(base::Bytes bytes);
  /// Orders the events; checks that everything that came has gone.
  void finish();

 private:
  const strategies::Plan& plan_;
  Program& program_;
};

}  // namespace sim
