#include "strategies/launch/megatron_model.hpp"

#include <algorithm>
#include <string>

namespace strategies::launch {

namespace {

/// A Python list of 0 and 1 by layer, runs folded: "[0]*3+[1]*58".
template <class Marks>
std::string pattern(const ModelSpec& model, Marks marks) {
  std::string text;
  for (std::size_t i = 0; i < model.layers.size();) {
    const bool one = marks(model.layers[i]);
    std::size_t end = i;
    while (end < model.layers.size() && marks(model.layers[end]) == one) ++end;
    text += fmt::format("{}[{}]*{}", text.empty() ? "" : "+", one ? 1 : 0, end - i);
    i = end;
  }
  return text;
}

void add_attention(Draft& draft, Arguments& out) {
  const ModelSpec& model = draft.model();
  out.option("--num-attention-heads", model.heads);
  if (model.latent) {
    const LatentAttention& latent = *model.latent;
    out.flag("--multi-latent-attention");
    if (latent.q_rank > 0) out.option("--q-lora-rank", latent.q_rank);
    out.option("--kv-lora-rank", latent.kv_rank);
    out.option("--qk-head-dim", latent.nope_head_dim);
    out.option("--qk-pos-emb-head-dim", latent.rope_head_dim);
    out.option("--v-head-dim", latent.value_head_dim);
  } else {
    out.option("--kv-channels", model.head_dim);
    if (model.kv_heads != model.heads) {
      out.flag("--group-query-attention");
      out.option("--num-query-groups", model.kv_heads);
    }
  }
  if (model.qk_norm && model.qk_norm_all_heads)
    draft.lacks("model: one norm over all heads of queries and keys is not in Megatron-LM");
  else if (model.qk_norm || model.latent)
    out.flag("--qk-layernorm");
  if (model.attention_sinks) out.option("--softmax-type", "learnable");
  std::int64_t window = 0;
  for (const LayerKind& layer : model.layers) window = std::max(window, layer.window);
  if (window == 0) return;
  // TransformerEngine counts the keys before a query and not the query.
  out.option("--window-size", fmt::format("{},0", window - 1));
  out.option("--window-attn-skip-freq",
             pattern(model, [](const LayerKind& layer) { return layer.window > 0; }));
  for (const LayerKind& layer : model.layers)
    if (layer.window != 0 && layer.window != window)
      return draft.lacks("model: windows of several sizes are not in Megatron-LM");
}

void add_position(Draft& draft, Arguments& out) {
  const ModelSpec& model = draft.model();
  out.option("--max-position-embeddings", std::max(model.positions, draft.plan().sequence));
  switch (model.position) {
    case Position::rotary: out.option("--position-embedding-type", "rope"); break;
    case Position::learned: out.option("--position-embedding-type", "learned_absolute"); break;
    case Position::alibi: draft.lacks("model: ALiBi is not in Megatron-LM"); [[fallthrough]];
    case Position::none: out.option("--position-embedding-type", "none"); break;
  }
  if (model.position == Position::rotary)
    draft.remark(
        "The base and scaling of rotary positions change no size and are not here: "
        "--rotary-base, --use-rope-scaling");
}

void add_norm(Draft& draft, Arguments& out) {
  const ModelSpec& model = draft.model();
  out.option("--normalization", model.norm == Norm::rms ? "RMSNorm" : "LayerNorm");
  if (model.norm == Norm::layer && !model.norm_bias)
    draft.lacks("model: LayerNorm without bias is not in Megatron-LM");
  if (model.norms_per_layer != 2)
    draft.lacks(fmt::format("model: {} norms a layer; Megatron-LM has two", model.norms_per_layer));
  if (!model.final_norm) draft.lacks("model: Megatron-LM always has a norm before the head");
  if (model.embedding_norm) draft.lacks("model: a norm behind the embedding is not in Megatron-LM");
  if (model.parallel_block)
    draft.lacks("model: attention and MLP from the same input are not in Megatron-LM");
}

void add_mlp(Draft& draft, Arguments& out) {
  const ModelSpec& model = draft.model();
  if (model.ffn > 0) out.option("--ffn-hidden-size", model.ffn);
  if (model.gated && model.activation == Activation::silu)
    out.flag("--swiglu");
  else if (!model.gated && model.activation == Activation::relu_squared)
    out.flag("--squared-relu");
  else if (model.gated || model.activation != Activation::gelu)
    draft.lacks("model: its MLP is neither SwiGLU, GELU nor squared ReLU, which Megatron-LM has");
}

void add_biases(Draft& draft, Arguments& out) {
  const ModelSpec& model = draft.model();
  const bool any = model.qkv_bias || model.output_bias || model.mlp_bias;
  const bool all = model.qkv_bias && model.output_bias && model.mlp_bias;
  if (all) return;
  if (!model.output_bias && !model.mlp_bias) {
    out.flag("--disable-bias-linear");
    if (any) out.flag("--add-qkv-bias");
    return;
  }
  draft.lacks(
      "model: Megatron-LM has biases on all matrices, on queries, keys and values, or on "
      "none");
}

void add_mixture(Draft& draft, Arguments& out) {
  const ModelSpec& model = draft.model();
  if (!model.mixture) return;
  const Mixture& mixture = *model.mixture;
  out.option("--num-experts", mixture.experts);
  out.option("--moe-router-topk", mixture.experts_per_token);
  out.option("--moe-ffn-hidden-size", mixture.expert_ffn);
  if (mixture.shared_ffn > 0)
    out.option("--moe-shared-expert-intermediate-size", mixture.shared_ffn);
  const auto is_mixture = [](const LayerKind& layer) { return layer.mixture; };
  if (!std::all_of(model.layers.begin(), model.layers.end(), is_mixture))
    out.option("--moe-layer-freq", pattern(model, is_mixture));
  if (mixture.capacity_factor > 0)
    out.option("--moe-expert-capacity-factor", mixture.capacity_factor);
  if (mixture.shared_gate) draft.lacks("model: a gate of the shared expert is not in Megatron-LM");
  if (mixture.expert_bias && !model.mlp_bias)
    draft.lacks("model: biases of experts go with those of all matrices");
  if (mixture.router_bias) {
    // DeepSeek-V3's correction of sigmoid scores; gpt-oss adds its bias to the logits.
    if (model.latent) {
      out.option("--moe-router-score-function", "sigmoid");
      out.flag("--moe-router-enable-expert-bias");
    } else {
      draft.lacks("model: a bias on the router's logits is not in Megatron-LM");
    }
  }
}

}  // namespace

void add_megatron_model(Draft& draft, Arguments& out) {
  const ModelSpec& model = draft.model();
  out.option("--num-layers", model.layer_count());
  out.option("--hidden-size", model.hidden);
  add_mlp(draft, out);
  add_attention(draft, out);
  add_position(draft, out);
  add_norm(draft, out);
  add_biases(draft, out);
  const std::int64_t parts = draft.plan().tensor;
  out.option("--padded-vocab-size", (model.vocab + parts - 1) / parts * parts);
  if (!model.tied_embeddings) out.flag("--untie-embeddings-and-output-weights");
  if (model.head_bias) draft.lacks("model: a bias of the head is not in Megatron-LM");
  add_mixture(draft, out);
  out.option("--hidden-dropout", model.dropout);
  out.option("--attention-dropout", model.dropout);
}

}  // namespace strategies::launch
