#pragma once

#include <cstdint>
#include <vector>

#include "calibrate/runtime/cuda/dnn_graph.hpp"
#include "calibrate/runtime/cuda/element.hpp"
#include "calibrate/runtime/runtime.h"

namespace calibrate::runtime::cuda::dnn {

/// A tensor of an attention that lies in memory.
struct Operand {
  std::int64_t id = 0;
  std::int64_t elements = 0;
  Element element = Element::bf16;
};

/// Scaled dot-product attention as the graph that cuDNN's fused engines know, tokens of a sequence
/// with their heads side by side. Forward: O, and for the backward pass the logarithm of each row's
/// sum. Backward: dQ, dK and dV from those, with scores computed once more.
struct AttentionGraph {
  Graph graph;
  std::vector<Operand> operands;
  // Ids of floats that are given by value; 0 where there is none.
  std::int64_t scale = 0;           ///< of scores
  std::int64_t one = 0;             ///< 1
  std::int64_t minus_infinity = 0;  ///< what masked scores become
};

/// Throws Failure for what the graph does not express: types but fp16 and bf16, windows, causal
/// masks of another shape than square, scores that go through memory.
AttentionGraph attention_graph(const foreshard_kernel& kernel);

}  // namespace calibrate::runtime::cuda::dnn
