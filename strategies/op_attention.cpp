#include "strategies/op_builder.hpp"

namespace strategies {

namespace {

constexpr std::int64_t float_bytes = 4;

}  // namespace

/// Rotates queries and keys; kernels pass over whole heads even when only part is rotated.
Op OpBuilder::rotary() const {
  const std::int64_t elements = tokens_ * (q_heads_ + kv_heads_) * model_.head_dim;
  Op op;
  op.kind = OpKind::rotary;
  op.name = "rotary";
  op.split = TensorSplit::heads;
  op.forward = {memory(2 * elements)};
  op.backward_input = {memory(2 * elements)};
  op.input_elements = op.output_elements = elements;
  return op;
}

/// Keeps queries, keys and values. Fused: and one fp32 log-sum-exp per row. Unfused: and the
/// softmax, and with dropout its mask and its output (5 a s^2 b bytes in 16 bit).
Op OpBuilder::core_attention(std::int64_t window) const {
  base::Attention kernel;
  kernel.batch = options_.batch;
  kernel.seq_q = kernel.seq_kv = options_.seq;
  kernel.q_heads = q_heads_;
  kernel.kv_heads = kv_heads_;
  kernel.head_dim = model_.head_dim;
  kernel.value_dim = value_dim_;
  kernel.window = window;
  kernel.flash = options_.flash_attention;
  kernel.dtype = stored_;
  Op op;
  op.kind = OpKind::attention;
  op.name = "attention";
  op.split = TensorSplit::heads;
  op.forward = {kernel};
  kernel.backward = true;
  op.backward_input = {kernel};
  op.parameters = model_.attention_sinks ? model_.heads : 0;
  const std::int64_t qkv =
      tokens_ * (q_heads_ * model_.head_dim + kv_heads_ * (model_.head_dim + value_dim_));
  const std::int64_t scores = tokens_ * q_heads_ * options_.seq;
  op.saved_elements = qkv;
  if (options_.flash_attention) {
    op.saved_bytes = tokens_ * q_heads_ * float_bytes;
  } else {
    op.saved_elements += model_.dropout > 0 ? 2 * scores : scores;
    op.saved_bytes = model_.dropout > 0 ? scores : 0;
  }
  op.input_elements = qkv;
  op.output_elements = tokens_ * q_heads_ * value_dim_;
  return op;
}

void OpBuilder::projections(std::vector<Op>& ops) const {
  const std::int64_t dim = model_.head_dim;
  ops.push_back(linear({.kind = OpKind::qkv_projection,
                        .name = "qkv_projection",
                        .split = TensorSplit::column,
                        .in = model_.hidden,
                        .out = (model_.heads + 2 * model_.kv_heads) * dim,
                        .bias = model_.qkv_bias,
                        .out_local = (q_heads_ + 2 * kv_heads_) * dim}));
  if (!model_.qk_norm) return;
  const std::int64_t heads = q_heads_ + kv_heads_;
  const std::int64_t all = model_.qk_norm_all_heads ? model_.heads + model_.kv_heads : 2;
  ops.push_back(feature_norm("qk_norm", TensorSplit::heads, tokens_, heads * dim,
                             model_.qk_norm_all_heads ? 2 : heads, all * dim));
}

/// DeepSeek-V2 (arXiv 2405.04434, section 2.1) in the form used for training: keys and values are
/// expanded to all heads. The projections down to the ranks are replicated over the tensor ranks
/// and work on each rank's own tokens, as in Megatron.
void OpBuilder::latent_projections(std::vector<Op>& ops) const {
  const LatentAttention& latent = *model_.latent;
  const std::int64_t h = model_.hidden;
  const auto down = [&](std::string name, std::int64_t out, bool saves_input) {
    ops.push_back(linear({.kind = OpKind::qkv_projection,
                          .name = std::move(name),
                          .split = TensorSplit::sequence,
                          .in = h,
                          .out = out,
                          .bias = model_.qkv_bias,
                          .saves_input = saves_input}));
  };
  const auto up = [&](std::string name, std::int64_t in, std::int64_t head_width) {
    ops.push_back(linear({.kind = OpKind::qkv_projection,
                          .name = std::move(name),
                          .split = TensorSplit::column,
                          .in = in,
                          .out = model_.heads * head_width,
                          .out_local = q_heads_ * head_width}));
  };
  const auto rank_norm = [&](std::string name, std::int64_t rank) {
    ops.push_back(
        feature_norm(std::move(name), TensorSplit::sequence, shard_tokens_, rank, 1, rank));
  };
  if (latent.q_rank > 0) {
    down("q_a_projection", latent.q_rank, true);
    rank_norm("q_a_norm", latent.q_rank);
    up("q_b_projection", latent.q_rank, model_.head_dim);
  } else {
    up("q_projection", h, model_.head_dim);
  }
  down("kv_a_projection", latent.kv_rank + latent.rope_head_dim, false);
  rank_norm("kv_a_norm", latent.kv_rank);
  up("kv_b_projection", latent.kv_rank, latent.nope_head_dim + latent.value_head_dim);
}

void OpBuilder::attention(std::vector<Op>& ops, std::int64_t window) const {
  if (model_.latent)
    latent_projections(ops);
  else
    projections(ops);
  if (model_.position == Position::rotary) ops.push_back(rotary());
  ops.push_back(core_attention(window));
  ops.push_back(linear({.kind = OpKind::output_projection,
                        .name = "output_projection",
                        .split = TensorSplit::row,
                        .in = model_.heads * value_dim_,
                        .out = model_.hidden,
                        .bias = model_.output_bias}));
}

}  // namespace strategies
