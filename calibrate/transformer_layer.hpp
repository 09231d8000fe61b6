#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/kernel.hpp"
#include "base/units.hpp"
#include "calibrate/profile.hpp"

namespace calibrate {

/// One layer of GPT as Megatron-LM ran it in 2022: unfused attention with dropout, GeLU, tensor
/// parallel inside a node, fp16. Enough to express the layer times of Korthikanti et al.,
/// "Reducing Activation Recomputation in Large Transformer Models", Table 4.
struct TransformerLayer {
  std::int64_t batch = 0;
  std::int64_t sequence = 0;
  std::int64_t heads = 0;
  std::int64_t hidden = 0;
  int tensor = 1;
  bool sequence_parallel = false;
  bool selective_recompute = false;  ///< of the attention between the GEMMs that surround it
  bool full_recompute = false;
  bool backward = false;
};

struct LayerWork {
  struct Call {
    Collective op;
    base::Bytes bytes;
  };
  std::vector<base::Kernel> kernels;
  std::vector<Call> calls;  ///< among the `tensor` ranks of a node, one after the other
};

/// Everything that the pass runs, none of it at the same time.
LayerWork work_of(const TransformerLayer& layer);

/// Fills hidden, tensor and the flags from a table's note, for example "transformer_layer
/// backward: …, hidden 6144, tp 8, …; selective recompute + sequence parallelism". Nothing when
/// hidden or tp is not said.
std::optional<TransformerLayer> parse_layer_note(std::string_view note);

}  // namespace calibrate
