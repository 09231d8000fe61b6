#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/collective.hpp"
#include "base/kernel.hpp"
#include "strategies/context_parallel.hpp"
#include "strategies/expert_parallel.hpp"
#include "strategies/model.hpp"
#include "strategies/rank_grid.hpp"

/// The operators of one micro-batch of a model, unsharded: what is computed, with which shapes,
/// forward and backward.
namespace strategies {

enum class OpKind {
  embedding,
  norm,
  qkv_projection,
  rotary,
  attention,
  output_projection,
  residual,
  mlp_up,
  activation,
  mlp_down,
  router,
  dispatch,
  expert_up,
  expert_activation,
  expert_down,
  combine,
  head,
  loss,
  exchange,  ///< tokens for heads, or keys and values, between context ranks
};

inline constexpr std::array<std::pair<std::string_view, OpKind>, 19> op_kind_names{{
    {"embedding", OpKind::embedding},
    {"norm", OpKind::norm},
    {"qkv_projection", OpKind::qkv_projection},
    {"rotary", OpKind::rotary},
    {"attention", OpKind::attention},
    {"output_projection", OpKind::output_projection},
    {"residual", OpKind::residual},
    {"mlp_up", OpKind::mlp_up},
    {"activation", OpKind::activation},
    {"mlp_down", OpKind::mlp_down},
    {"router", OpKind::router},
    {"dispatch", OpKind::dispatch},
    {"expert_up", OpKind::expert_up},
    {"expert_activation", OpKind::expert_activation},
    {"expert_down", OpKind::expert_down},
    {"combine", OpKind::combine},
    {"head", OpKind::head},
    {"loss", OpKind::loss},
    {"exchange", OpKind::exchange},
}};

std::string_view name_of(OpKind kind);

/// Names of matrices that share the kind of others, where projections are not fused or attention is
/// latent.
inline constexpr std::array<std::string_view, 6> matrices_apart{
    "q_projection", "k_projection",   "v_projection",
    "mlp_gate",     "q_b_projection", "kv_b_projection"};

/// How an operator is cut by tensor parallelism.
enum class TensorSplit {
  column,      ///< output features divided (its weight too); input replicated
  row,         ///< input features divided; the output is a partial sum
  heads,       ///< works on divided heads or features, no divided weight
  sequence,    ///< tokens divided when sequence parallel, else replicated; weights replicated
  vocabulary,  ///< embedding and head: vocabulary rows divided
  replicated,  ///< all tokens, all features, on every rank
};

/// What an operator says to other ranks after its forward kernels. In backward the opposite comes
/// before its kernels: all-to-all for all-to-all, reduce-scatter for all-gather and the reverse.
struct Exchange {
  std::string name;
  base::Collective op = base::Collective::all_to_all;
  AxisSet axes;
  std::int64_t bytes = 0;           ///< nccl-tests convention
  std::int64_t backward_bytes = 0;  ///< 0: nothing goes back
};

/// A step of ring attention, while the block of the next step travels.
struct RingStep {
  std::vector<base::Kernel> forward;
  std::vector<base::Kernel> backward;
};

/// One operator. Backward kernels are split: gradient of the input, gradient of the weight.
///
/// With `tensor` above 1 the communication of a layer follows from the two flags. Without sequence
/// parallelism `reduces_output` is an all-reduce of `output_elements` in forward, `gathers_input`
/// one of the gradient of `input_elements` in backward. With it they are a reduce-scatter and an
/// all-gather of the same sizes, and the other way round in backward.
struct Op {
  OpKind kind = OpKind::norm;
  std::string name;
  TensorSplit split = TensorSplit::replicated;
  std::vector<base::Kernel> forward;
  std::vector<base::Kernel> backward_input;
  std::vector<base::Kernel> backward_weight;
  std::vector<Exchange> exchanges;     ///< in the order of forward
  std::vector<RingStep> ring;          ///< instead of forward and backward_input
  std::int64_t ring_bytes = 0;         ///< keys and values that go to the next rank of the ring
  std::int64_t parameters = 0;         ///< unsharded
  bool expert = false;                 ///< parameters belong to routed experts
  std::int64_t saved_elements = 0;     ///< activation elements kept for backward, compute dtype
  std::int64_t saved_bytes = 0;        ///< further bytes kept in any dtype (masks, statistics)
  std::int64_t saved_input_bytes = 0;  ///< of both, what is the output of the operators before
  std::int64_t input_elements = 0;     ///< as the kernels see it: after the gather, if any
  std::int64_t output_elements = 0;
  bool gathers_input = false;   ///< needs all tokens of an input that `sequence` ops divide
  bool reduces_output = false;  ///< its output is a partial sum over the tensor ranks
};

/// A run of equal layers, or the embedding or the head.
struct Block {
  std::string name;  ///< "embedding", "layer", "moe_layer", "head"; layers with
                     ///< a window end in it: "layer_window_128"
  LayerKind kind;
  std::vector<Op> ops;
};

/// All operators for `batch` sequences of `seq` tokens.
struct OpGraph {
  std::vector<Block> blocks;     ///< distinct blocks
  std::vector<int> layer_block;  ///< block index of each layer, in order
  int embedding_block = 0;
  int head_block = 0;
  std::int64_t batch = 0;
  std::int64_t seq = 0;
};

/// How narrow formats (fp8, fp4) are scaled, and so what a cast costs and how many bytes scales
/// take.
enum class Scaling {
  delayed,    ///< one scale a tensor, from the maxima of earlier steps
  current,    ///< one scale a tensor, from a pass over it before the cast
  blockwise,  ///< fp32 scale for 128 elements (weights: 128 x 128; DeepSeek-V3)
  mx,         ///< 8-bit scale for 32 elements (OCP Microscaling 1.0), in both directions
  nv,         ///< 8-bit scale for 16 elements and one for the tensor (NVFP4)
};

struct OpOptions {
  std::int64_t batch = 1;
  std::int64_t seq = 1;
  base::DType dtype = base::DType::bf16;
  bool flash_attention = true;
  bool fused_softmax = true;  ///< without flash attention: Megatron-LM's kernel, where it fits
  int tensor = 1;             ///< degree: shapes of divided operators are those of one rank
  bool sequence_parallel = false;
  /// Queries, keys and values in one matrix, gate and up in one.
  bool fused_projections = true;
  /// Backward, every matrix that reads a tensor sums the gradient of it over the tensor ranks,
  /// instead of all of them together.
  bool reduce_per_linear = false;
  bool gather_logits = false;      ///< each tensor rank computes the loss of the whole vocabulary
  double elementwise_traffic = 1;  ///< see Execution
  bool fused_gate = true;          ///< see Execution
  Scaling scaling = Scaling::delayed;
  ContextParallel context;
  ExpertParallel expert;  ///< `tensor` filled in
};

/// Whether Megatron-LM's fused softmax takes so many heads of a sequence, with a micro-batch of
/// so many: it works on four of them at once (megatron/model/fused_softmax.py).
constexpr bool fits_fused_softmax(std::int64_t heads, std::int64_t micro_batch) {
  return heads * micro_batch % 4 == 0;
}

/// What lies between kernels: only inputs of matrix products are narrower than 16 bits.
base::DType stored_type(base::DType compute);

/// Whether all counts of the operators stay below 2^60.
bool countable(const ModelSpec& model, const OpOptions& options);

/// Operators with the shapes that one tensor-parallel rank works on (`tensor` 1: unsharded).
/// Key-value heads fewer than the degree are replicated; a vocabulary that does not divide is
/// padded. \pre heads and widths divide as `check_plan` demands; `countable`.
OpGraph build_ops(const ModelSpec& model, const OpOptions& options);

}  // namespace strategies
