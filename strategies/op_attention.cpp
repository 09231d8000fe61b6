#include <algorithm>

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
/// softmax, and with dropout its mask and its output (5 a s^2 b bytes in 16 bit). Context ranks
/// that gather keys and values keep them gathered.
Op OpBuilder::core_attention(std::int64_t window) const {
  const ContextParallel& context = options_.context;
  base::Attention kernel;
  kernel.batch = options_.batch;
  kernel.seq_q = kernel.seq_kv = options_.seq;
  kernel.q_heads = base::ceil_div(q_heads_, context.ulysses);
  kernel.kv_heads = base::ceil_div(kv_heads_, context.ulysses);
  kernel.head_dim = model_.head_dim;
  kernel.value_dim = value_dim_;
  kernel.window = window;
  kernel.flash = options_.flash_attention;
  kernel.dtype = stored_;
  Op op;
  op.kind = OpKind::attention;
  op.name = "attention";
  op.split = TensorSplit::heads;
  split_attention(kernel, op);
  op.parameters = model_.attention_sinks ? model_.heads : 0;
  const bool gathers = context.ring() > 1 && !context.rings();
  const std::int64_t keys = kv_heads_ * (model_.head_dim + value_dim_);
  const std::int64_t qkv = tokens_ * (q_heads_ * model_.head_dim + keys);
  const std::int64_t kept = qkv + (gathers ? tokens_ * (context.ring() - 1) * keys : 0);
  const std::int64_t scores = tokens_ * q_heads_ * options_.seq;
  op.saved_elements = kept;
  op.saved_input_bytes = kept * element_;
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

/// Where the fused softmax does not fit, PyTorch's operators work on the scores in fp32: what they
/// do beyond the kernel, which is counted as attention. Their softmax keeps its output too.
void OpBuilder::eager_softmax(std::vector<Op>& ops) const {
  if (options_.flash_attention || !options_.fused_softmax ||
      fits_fused_softmax(q_heads_, options_.batch))
    return;
  const std::int64_t scores = tokens_ * q_heads_ * options_.seq;
  const auto add = [&](const char* name, std::int64_t bytes_moved, std::int64_t bytes_kept) {
    Op& op = ops.emplace_back();
    op.kind = OpKind::attention;
    op.name = name;
    op.split = TensorSplit::heads;
    op.forward = {memory(0, scores * bytes_moved)};
    op.backward_input = op.forward;
    op.saved_bytes = scores * bytes_kept;
    op.input_elements = op.output_elements = scores;
  };
  add("scores_to_fp32", element_ + float_bytes, 0);
  add("scaled_scores", 2 * float_bytes, 0);
  add("masked_scores", 2 * float_bytes, 0);
  add("softmax_output", float_bytes + element_, float_bytes);
}

/// A ring works while blocks of keys and values travel, and merges each step's output into the sum
/// by the log-sum-exps: two reads and a write in fp32.
void OpBuilder::split_attention(const base::Attention& whole, Op& op) const {
  const ContextParallel& context = options_.context;
  const auto backward = [](base::Attention kernel) {
    kernel.backward = true;
    return kernel;
  };
  const std::vector<std::vector<base::Attention>> steps = attention_steps(whole, context);
  if (!context.rings()) {
    for (const base::Attention& kernel : steps.front()) {
      op.forward.push_back(kernel);
      op.backward_input.push_back(backward(kernel));
    }
    return;
  }
  const std::int64_t tokens = tokens_ * context.ulysses;
  const std::int64_t outputs = tokens * whole.q_heads * value_dim_;
  for (const std::vector<base::Attention>& kernels : steps) {
    RingStep step;
    for (const base::Attention& kernel : kernels) {
      step.forward.push_back(kernel);
      step.backward.push_back(backward(kernel));
    }
    if (!op.ring.empty()) step.forward.push_back(memory(0, 3 * outputs * float_bytes));
    op.ring.push_back(std::move(step));
  }
  const std::int64_t heads = context.expand_kv ? whole.q_heads : whole.kv_heads;
  op.ring_bytes = tokens * heads * (model_.head_dim + value_dim_) * element_;
}

/// Tokens for heads between the ulysses ranks, or back.
void OpBuilder::exchange_heads(std::string name, std::int64_t elements,
                               std::vector<Op>& ops) const {
  if (options_.context.ulysses == 1) return;
  const std::int64_t bytes = elements * element_;
  Op op;
  op.kind = OpKind::exchange;
  op.name = name;
  op.split = TensorSplit::heads;
  op.exchanges = {{std::move(name), base::Collective::all_to_all, Axis::ulysses, bytes, bytes}};
  op.input_elements = op.output_elements = elements;
  ops.push_back(std::move(op));
}

/// Keys and values of the whole sequence to every context rank.
void OpBuilder::exchange_keys(std::vector<Op>& ops) const {
  const ContextParallel& context = options_.context;
  if (context.ring() == 1 || context.rings()) return;
  const std::int64_t heads = base::ceil_div(kv_heads_, context.ulysses);
  const std::int64_t elements =
      options_.batch * options_.seq * heads * (model_.head_dim + value_dim_);
  const std::int64_t bytes = elements * element_;
  Op op;
  op.kind = OpKind::exchange;
  op.name = "gather keys and values";
  op.split = TensorSplit::heads;
  op.exchanges = {
      {"all-gather keys and values", base::Collective::all_gather, Axis::ring, bytes, bytes}};
  op.input_elements = op.output_elements = elements;
  ops.push_back(std::move(op));
}

void OpBuilder::projections(std::vector<Op>& ops) const {
  const std::int64_t dim = model_.head_dim;
  const auto project = [&](std::string name, std::int64_t heads, std::int64_t local_heads,
                           bool saves_input) {
    ops.push_back(linear({.kind = OpKind::qkv_projection,
                          .name = std::move(name),
                          .split = TensorSplit::column,
                          .in = model_.hidden,
                          .out = heads * dim,
                          .bias = model_.qkv_bias,
                          .saves_input = saves_input,
                          .out_local = local_heads * dim}));
  };
  if (options_.fused_projections) {
    project("qkv_projection", model_.heads + 2 * model_.kv_heads, q_heads_ + 2 * kv_heads_, true);
  } else {
    project("q_projection", model_.heads, q_heads_, true);
    project("k_projection", model_.kv_heads, kv_heads_, false);
    ops.back().gathers_input = options_.reduce_per_linear;
    project("v_projection", model_.kv_heads, kv_heads_, false);
    ops.back().gathers_input = options_.reduce_per_linear;
  }
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
  const std::int64_t kv = std::max<std::int64_t>(kv_heads_, options_.context.ulysses);
  exchange_heads("all-to-all heads",
                 tokens_ * (q_heads_ * model_.head_dim + kv * (model_.head_dim + value_dim_)), ops);
  exchange_keys(ops);
  ops.push_back(core_attention(window));
  eager_softmax(ops);
  exchange_heads("all-to-all tokens of heads", tokens_ * q_heads_ * value_dim_, ops);
  ops.push_back(linear({.kind = OpKind::output_projection,
                        .name = "output_projection",
                        .split = TensorSplit::row,
                        .in = model_.heads * value_dim_,
                        .out = model_.hidden,
                        .bias = model_.output_bias}));
}

}  // namespace strategies
