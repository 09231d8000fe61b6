#include <algorithm>

#include "strategies/hf_reader.hpp"

namespace strategies {

namespace {

void read_qwen(HfReader& reader) {
  reader.common_shape();
  reader.activation("hidden_act", Activation::silu);
  reader.tied(false);
  const bool slides = reader.flag("use_sliding_window", false);
  const std::int64_t window = reader.sliding_window();
  const int first = reader.integer("max_window_layers", 28, {0, layer_range.max});
  reader.windows(slides ? window : 0, [first](int layer) { return layer >= first; });
}

/// Layers that are mixtures: every `decoder_sparse_step`-th, less `mlp_only_layers`.
void read_qwen_mixture(HfReader& reader) {
  Mixture mixture;
  reader.required("num_experts", "mixture.experts", mixture.experts, expert_range);
  reader.required("num_experts_per_tok", "mixture.experts_per_token", mixture.experts_per_token,
                  expert_range);
  reader.required("moe_intermediate_size", "mixture.expert_ffn", mixture.expert_ffn);
  const int step = reader.integer("decoder_sparse_step", 1, layer_range);
  const std::vector<int> dense = reader.layer_list("mlp_only_layers");
  std::vector<LayerKind>& kinds = reader.make_layers();
  bool any_dense = false;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const int layer = static_cast<int>(i);
    kinds[i].mixture =
        (layer + 1) % step == 0 && std::find(dense.begin(), dense.end(), layer) == dense.end();
    any_dense = any_dense || !kinds[i].mixture;
  }
  if (any_dense)
    reader.required("intermediate_size", "ffn", reader.model.ffn);
  else
    reader.number("intermediate_size", "ffn", reader.model.ffn, width_range);
  reader.model.mixture = mixture;
}

}  // namespace

void read_qwen2(HfReader& reader) {
  read_qwen(reader);
  reader.required("intermediate_size", "ffn", reader.model.ffn);
  reader.model.qkv_bias = true;
}

void read_qwen2_moe(HfReader& reader) {
  read_qwen(reader);
  read_qwen_mixture(reader);
  reader.model.qkv_bias = reader.flag("qkv_bias", true);
  Mixture& mixture = *reader.model.mixture;
  reader.required("shared_expert_intermediate_size", "mixture.shared_ffn", mixture.shared_ffn,
                  {0, width_range.max});
  mixture.shared_experts = mixture.shared_ffn > 0 ? 1 : 0;
  mixture.shared_gate = mixture.shared_ffn > 0;
}

void read_qwen3(HfReader& reader) {
  read_qwen(reader);
  reader.required("intermediate_size", "ffn", reader.model.ffn);
  reader.model.qkv_bias = reader.model.output_bias = reader.flag("attention_bias", false);
  reader.model.qk_norm = true;
}

void read_qwen3_moe(HfReader& reader) {
  read_qwen(reader);
  read_qwen_mixture(reader);
  reader.model.qkv_bias = reader.model.output_bias = reader.flag("attention_bias", false);
  reader.model.qk_norm = true;
}

}  // namespace strategies
