#include "strategies/model.hpp"

namespace strategies {

namespace {

std::int64_t norm_parameters(const ModelSpec& model) {
  return model.norm_bias ? 2 * model.hidden : model.hidden;
}

std::int64_t latent_parameters(const ModelSpec& model, const LatentAttention& latent) {
  const std::int64_t h = model.hidden;
  const std::int64_t qk = latent.nope_head_dim + latent.rope_head_dim;
  const std::int64_t q =
      latent.q_rank > 0 ? latent.q_rank * (h + model.heads * qk) : h * model.heads * qk;
  const std::int64_t kv =
      h * (latent.kv_rank + latent.rope_head_dim) +
      latent.kv_rank * model.heads * (latent.nope_head_dim + latent.value_head_dim);
  const std::int64_t bias =  // only the projections down to the ranks have one
      model.qkv_bias ? latent.q_rank + latent.kv_rank + latent.rope_head_dim : 0;
  return q + kv + bias + model.heads * latent.value_head_dim * h;
}

/// One layer, without its norms.
std::int64_t attention_parameters(const ModelSpec& model) {
  const std::int64_t extra =
      (model.output_bias ? model.hidden : 0) + (model.attention_sinks ? model.heads : 0);
  if (model.latent) return latent_parameters(model, *model.latent) + extra;
  const std::int64_t q = model.heads * model.head_dim;
  const std::int64_t kv = model.kv_heads * model.head_dim;
  const std::int64_t qkv_bias = model.qkv_bias ? q + 2 * kv : 0;
  return model.hidden * (q + 2 * kv) + qkv_bias + q * model.hidden + extra;
}

std::int64_t mlp_parameters(const ModelSpec& model, std::int64_t width, bool bias) {
  const std::int64_t up = model.gated ? 2 * width : width;
  return model.hidden * (up + width) + (bias ? up + model.hidden : 0);
}

/// All norms of one layer.
std::int64_t layer_norm_parameters(const ModelSpec& model) {
  std::int64_t count = model.norms_per_layer * norm_parameters(model);
  if (model.latent) count += model.latent->q_rank + model.latent->kv_rank;
  if (!model.qk_norm) return count;
  return count + (model.qk_norm_all_heads ? (model.heads + model.kv_heads) * model.head_dim
                                          : 2 * model.head_dim);
}

}  // namespace

ParameterCount count_parameters(const ModelSpec& model) {
  ParameterCount count;
  count.embedding = model.vocab * model.hidden;
  if (model.position == Position::learned) count.embedding += model.positions * model.hidden;
  count.norms = (model.final_norm ? norm_parameters(model) : 0) +
                (model.embedding_norm ? norm_parameters(model) : 0);
  count.head = (model.tied_embeddings ? 0 : model.vocab * model.hidden) +
               (model.head_bias ? model.vocab : 0);
  for (const LayerKind& layer : model.layers) {
    count.attention += attention_parameters(model);
    count.norms += layer_norm_parameters(model);
    if (!layer.mixture || !model.mixture) {
      count.mlp += mlp_parameters(model, model.ffn, model.mlp_bias);
      continue;
    }
    const Mixture& mixture = *model.mixture;
    count.experts +=
        mixture.experts * mlp_parameters(model, mixture.expert_ffn, mixture.expert_bias);
    count.router += mixture.experts * (model.hidden + (mixture.router_bias ? 1 : 0));
    if (mixture.shared_ffn > 0)
      count.shared_experts += mlp_parameters(model, mixture.shared_ffn, false);
    if (mixture.shared_gate) count.shared_experts += model.hidden;
  }
  count.active = count.total();
  if (model.mixture && model.mixture->experts > 0)
    count.active -= count.experts / model.mixture->experts *
                    (model.mixture->experts - model.mixture->experts_per_token);
  return count;
}

}  // namespace strategies
