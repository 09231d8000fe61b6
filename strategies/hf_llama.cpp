#include "strategies/hf_reader.hpp"

/// Llama and its kin: rotary positions, RMS norms, gated MLP, no biases. Where a configuration
/// leaves a key out, the value is the default of the family's configuration class.
namespace strategies {

namespace {

constexpr auto no_layer = [](int) { return false; };
constexpr auto every_layer = [](int) { return true; };

void read_gated(HfReader& reader) {
  reader.common_shape();
  reader.required("intermediate_size", "ffn", reader.model.ffn);
}

void read_attention_bias(HfReader& reader) {
  reader.model.qkv_bias = reader.model.output_bias = reader.flag("attention_bias", false);
}

}  // namespace

void read_llama(HfReader& reader) {
  read_gated(reader);
  reader.activation("hidden_act", Activation::silu);
  reader.tied(false);
  read_attention_bias(reader);
  reader.model.mlp_bias = reader.flag("mlp_bias", false);
  reader.windows(0, no_layer);
}

void read_mistral(HfReader& reader) {
  read_gated(reader);
  reader.activation("hidden_act", Activation::silu);
  reader.tied(false);
  reader.windows(reader.sliding_window(), every_layer);
}

void read_mixtral(HfReader& reader) {
  read_mistral(reader);
  Mixture mixture;
  mixture.expert_ffn = reader.model.ffn;
  reader.required("num_local_experts", "mixture.experts", mixture.experts, expert_range);
  reader.required("num_experts_per_tok", "mixture.experts_per_token", mixture.experts_per_token,
                  expert_range);
  reader.model.mixture = mixture;
  for (LayerKind& layer : reader.make_layers()) layer.mixture = true;
}

void read_phi3(HfReader& reader) { read_mistral(reader); }

void read_gemma(HfReader& reader) {
  read_gated(reader);
  reader.activation("hidden_act", Activation::gelu);
  reader.activation("hidden_activation", reader.model.activation);
  reader.tied(true);
  read_attention_bias(reader);
  reader.windows(0, no_layer);
}

void read_gemma2(HfReader& reader) {
  read_gemma(reader);
  reader.model.norms_per_layer = 4;
  reader.windows(reader.sliding_window(), [](int layer) { return layer % 2 == 0; });
}

void read_gemma3(HfReader& reader) {
  read_gemma(reader);
  reader.model.norms_per_layer = 4;
  reader.model.qk_norm = true;
  const int pattern = reader.integer("sliding_window_pattern", 6, layer_range);
  reader.windows(reader.sliding_window(),
                 [pattern](int layer) { return (layer + 1) % pattern != 0; });
}

void read_olmo2(HfReader& reader) {
  read_llama(reader);
  reader.model.qk_norm = reader.model.qk_norm_all_heads = true;
}

void read_nemotron(HfReader& reader) {
  read_gated(reader);
  reader.activation("hidden_act", Activation::relu_squared);
  reader.tied(false);
  read_attention_bias(reader);
  reader.model.mlp_bias = reader.flag("mlp_bias", false);
  reader.model.gated = false;
  reader.model.norm = Norm::layer;
  reader.model.norm_bias = true;
  reader.windows(0, no_layer);
}

}  // namespace strategies
