#include "strategies/hf_reader.hpp"

namespace strategies {

/// gpt-oss (OpenAI 2025): every projection has a bias, attention has a learned sink per head, each
/// even layer slides.
void read_gpt_oss(HfReader& reader) {
  reader.common_shape();
  ModelSpec& model = reader.model;
  reader.activation("hidden_act", Activation::silu);
  reader.tied(false);
  model.qkv_bias = model.output_bias = reader.flag("attention_bias", true);
  model.attention_sinks = true;
  Mixture mixture;
  reader.required(reader.either("num_experts", "num_local_experts"), "mixture.experts",
                  mixture.experts, expert_range);
  reader.required(reader.either("experts_per_token", "num_experts_per_tok"),
                  "mixture.experts_per_token", mixture.experts_per_token, expert_range);
  reader.required("intermediate_size", "mixture.expert_ffn", mixture.expert_ffn);
  mixture.router_bias = mixture.expert_bias = true;
  model.mixture = mixture;
  reader.windows(reader.sliding_window(), [](int layer) { return layer % 2 == 0; });
  for (LayerKind& layer : reader.make_layers()) layer.mixture = true;
}

/// DeepSeek-V2 (arXiv 2405.04434). The published 236 B count everything that is here.
void read_deepseek_v2(HfReader& reader) {
  ModelSpec& model = reader.model;
  reader.required("hidden_size", "hidden", model.hidden);
  reader.required("num_hidden_layers", "layers", reader.layers, layer_range);
  reader.required("num_attention_heads", "heads", model.heads, head_range);
  reader.required("vocab_size", "vocab", model.vocab, vocab_range);
  reader.required("intermediate_size", "ffn", model.ffn);
  reader.positions("max_position_embeddings");
  reader.activation("hidden_act", Activation::silu);
  reader.tied(false);
  model.qkv_bias = model.output_bias = reader.flag("attention_bias", false);
  model.kv_heads = model.heads;

  LatentAttention latent;
  reader.number("q_lora_rank", "latent.q_rank", latent.q_rank, {0, width_range.max});
  reader.required("kv_lora_rank", "latent.kv_rank", latent.kv_rank);
  reader.required("qk_rope_head_dim", "latent.rope_head_dim", latent.rope_head_dim);
  reader.required("qk_nope_head_dim", "latent.nope_head_dim", latent.nope_head_dim);
  reader.required("v_head_dim", "latent.value_head_dim", latent.value_head_dim);
  model.latent = latent;
  model.head_dim = latent.nope_head_dim + latent.rope_head_dim;

  Mixture mixture;
  reader.required("n_routed_experts", "mixture.experts", mixture.experts, expert_range);
  reader.required("num_experts_per_tok", "mixture.experts_per_token", mixture.experts_per_token,
                  expert_range);
  reader.required("moe_intermediate_size", "mixture.expert_ffn", mixture.expert_ffn);
  reader.number("n_shared_experts", "mixture.shared_experts", mixture.shared_experts,
                {0, expert_range.max});
  mixture.shared_ffn = mixture.shared_experts * mixture.expert_ffn;
  model.mixture = mixture;
  const int dense = reader.integer("first_k_dense_replace", 0, {0, layer_range.max});
  const int frequency = reader.integer("moe_layer_freq", 1, layer_range);
  std::vector<LayerKind>& kinds = reader.make_layers();
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const int layer = static_cast<int>(i);
    kinds[i].mixture = layer >= dense && layer % frequency == 0;
  }
}

/// DeepSeek-V3 (arXiv 2412.19437). The published 671 B are the main model: the score correction of
/// each expert counts, the multi-token prediction layer (`num_nextn_predict_layers`) does not.
void read_deepseek_v3(HfReader& reader) {
  read_deepseek_v2(reader);
  reader.model.mixture->router_bias = true;
}

}  // namespace strategies
