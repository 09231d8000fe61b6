#include "strategies/checkpoint_file/model_tensors.hpp"

#include <fmt/format.h>

#include <array>

namespace strategies::checkpoint_file {

namespace {

/// Collects tensors below a prefix.
class List {
 public:
  std::vector<ModelTensor> all;

  void at(std::string prefix) { prefix_ = std::move(prefix); }
  void add(std::string_view name, Shape shape) {
    all.push_back({prefix_ + std::string(name), std::move(shape)});
  }
  /// A matrix of `rows` outputs, as torch.nn.Linear has it, and its bias.
  void linear(std::string_view name, std::int64_t rows, std::int64_t columns, bool bias) {
    add(fmt::format("{}.weight", name), {rows, columns});
    if (bias) add(fmt::format("{}.bias", name), {rows});
  }
  void norm(std::string_view name, std::int64_t width, bool bias) {
    add(fmt::format("{}.weight", name), {width});
    if (bias) add(fmt::format("{}.bias", name), {width});
  }
  void gated(std::string_view name, std::int64_t hidden, std::int64_t width, bool bias) {
    linear(fmt::format("{}.gate_proj", name), width, hidden, bias);
    linear(fmt::format("{}.up_proj", name), width, hidden, bias);
    linear(fmt::format("{}.down_proj", name), hidden, width, bias);
  }

 private:
  std::string prefix_;
};

struct Widths {
  explicit Widths(const ModelSpec& model)
      : hidden(model.hidden),
        queries(model.heads * model.head_dim),
        keys(model.kv_heads * model.head_dim) {}
  std::int64_t hidden;
  std::int64_t queries;
  std::int64_t keys;
};

// --- Llama and its kin: parts of a layer that differ -------------------------------------------

void attention(List& list, const ModelSpec& model) {
  const Widths w(model);
  list.linear("self_attn.q_proj", w.queries, w.hidden, model.qkv_bias);
  list.linear("self_attn.k_proj", w.keys, w.hidden, model.qkv_bias);
  list.linear("self_attn.v_proj", w.keys, w.hidden, model.qkv_bias);
  list.linear("self_attn.o_proj", w.hidden, w.queries, model.output_bias);
  if (model.qk_norm) {
    list.norm("self_attn.q_norm", model.qk_norm_all_heads ? w.queries : model.head_dim, false);
    list.norm("self_attn.k_norm", model.qk_norm_all_heads ? w.keys : model.head_dim, false);
  }
  if (model.attention_sinks) list.add("self_attn.sinks", {model.heads});
}

void fused_attention(List& list, const ModelSpec& model) {
  const Widths w(model);
  list.linear("self_attn.qkv_proj", w.queries + 2 * w.keys, w.hidden, model.qkv_bias);
  list.linear("self_attn.o_proj", w.hidden, w.queries, model.output_bias);
}

void latent_attention(List& list, const ModelSpec& model) {
  const LatentAttention& latent = *model.latent;
  const std::int64_t queries = model.heads * (latent.nope_head_dim + latent.rope_head_dim);
  if (latent.q_rank > 0) {
    list.linear("self_attn.q_a_proj", latent.q_rank, model.hidden, model.qkv_bias);
    list.norm("self_attn.q_a_layernorm", latent.q_rank, false);
    list.linear("self_attn.q_b_proj", queries, latent.q_rank, false);
  } else {
    list.linear("self_attn.q_proj", queries, model.hidden, false);
  }
  list.linear("self_attn.kv_a_proj_with_mqa", latent.kv_rank + latent.rope_head_dim, model.hidden,
              model.qkv_bias);
  list.norm("self_attn.kv_a_layernorm", latent.kv_rank, false);
  list.linear("self_attn.kv_b_proj", model.heads * (latent.nope_head_dim + latent.value_head_dim),
              latent.kv_rank, false);
  list.linear("self_attn.o_proj", model.hidden, model.heads * latent.value_head_dim,
              model.output_bias);
}

void mlp(List& list, const ModelSpec& model) {
  if (model.gated) return list.gated("mlp", model.hidden, model.ffn, model.mlp_bias);
  list.linear("mlp.up_proj", model.ffn, model.hidden, model.mlp_bias);
  list.linear("mlp.down_proj", model.hidden, model.ffn, model.mlp_bias);
}

void fused_mlp(List& list, const ModelSpec& model) {
  list.linear("mlp.gate_up_proj", 2 * model.ffn, model.hidden, model.mlp_bias);
  list.linear("mlp.down_proj", model.hidden, model.ffn, model.mlp_bias);
}

void mixtral_experts(List& list, const ModelSpec& model) {
  const Mixture& mixture = *model.mixture;
  list.linear("block_sparse_moe.gate", mixture.experts, model.hidden, false);
  for (int i = 0; i < mixture.experts; ++i) {
    const std::string expert = fmt::format("block_sparse_moe.experts.{}", i);
    list.linear(expert + ".w1", mixture.expert_ffn, model.hidden, false);
    list.linear(expert + ".w2", model.hidden, mixture.expert_ffn, false);
    list.linear(expert + ".w3", mixture.expert_ffn, model.hidden, false);
  }
}

void experts(List& list, const ModelSpec& model, std::string_view shared) {
  const Mixture& mixture = *model.mixture;
  list.linear("mlp.gate", mixture.experts, model.hidden, false);
  for (int i = 0; i < mixture.experts; ++i)
    list.gated(fmt::format("mlp.experts.{}", i), model.hidden, mixture.expert_ffn, false);
  if (mixture.shared_ffn > 0)
    list.gated(fmt::format("mlp.{}", shared), model.hidden, mixture.shared_ffn, false);
}

void qwen_experts(List& list, const ModelSpec& model) {
  experts(list, model, "shared_expert");
  if (model.mixture->shared_gate) list.linear("mlp.shared_expert_gate", 1, model.hidden, false);
}

void deepseek_experts(List& list, const ModelSpec& model) {
  experts(list, model, "shared_experts");
  if (model.mixture->router_bias)
    list.add("mlp.gate.e_score_correction_bias", {model.mixture->experts});
}

/// gpt-oss keeps all experts of a layer in one tensor.
void stacked_experts(List& list, const ModelSpec& model) {
  const Mixture& mixture = *model.mixture;
  const std::int64_t e = mixture.experts;
  list.linear("mlp.router", e, model.hidden, true);
  list.add("mlp.experts.gate_up_proj", {e, model.hidden, 2 * mixture.expert_ffn});
  list.add("mlp.experts.gate_up_proj_bias", {e, 2 * mixture.expert_ffn});
  list.add("mlp.experts.down_proj", {e, mixture.expert_ffn, model.hidden});
  list.add("mlp.experts.down_proj_bias", {e, model.hidden});
}

void norms(List& list, const ModelSpec& model) {
  list.norm("input_layernorm", model.hidden, model.norm_bias);
  list.norm("post_attention_layernorm", model.hidden, model.norm_bias);
  if (model.norms_per_layer != 4) return;
  list.norm("pre_feedforward_layernorm", model.hidden, model.norm_bias);
  list.norm("post_feedforward_layernorm", model.hidden, model.norm_bias);
}

/// OLMo-2 has its norms behind attention and MLP.
void norms_behind(List& list, const ModelSpec& model) {
  list.norm("post_attention_layernorm", model.hidden, false);
  list.norm("post_feedforward_layernorm", model.hidden, false);
}

using Part = void (*)(List&, const ModelSpec&);

template <Part Attention, Part Dense, Part Experts, Part Norms>
std::vector<ModelTensor> llama_like(const ModelSpec& model) {
  List list;
  list.add("model.embed_tokens.weight", {model.vocab, model.hidden});
  for (std::size_t i = 0; i < model.layers.size(); ++i) {
    list.at(fmt::format("model.layers.{}.", i));
    Attention(list, model);
    if (model.layers[i].mixture)
      Experts(list, model);
    else
      Dense(list, model);
    Norms(list, model);
  }
  list.at("");
  list.norm("model.norm", model.hidden, model.norm_bias);
  list.add("lm_head.weight", {model.vocab, model.hidden});
  list.all.back().optional = model.tied_embeddings;
  return std::move(list.all);
}

// --- GPT ---------------------------------------------------------------------------------------

/// GPT-2 keeps its matrices with the inputs first (Conv1D).
std::vector<ModelTensor> gpt2(const ModelSpec& model) {
  const std::int64_t h = model.hidden;
  List list;
  const auto conv = [&](const std::string& name, std::int64_t inputs, std::int64_t outputs) {
    list.add(name + ".weight", {inputs, outputs});
    list.add(name + ".bias", {outputs});
  };
  list.add("wte.weight", {model.vocab, h});
  list.add("wpe.weight", {model.positions, h});
  for (int i = 0; i < model.layer_count(); ++i) {
    list.at(fmt::format("h.{}.", i));
    list.norm("ln_1", h, true);
    conv("attn.c_attn", h, 3 * h);
    conv("attn.c_proj", h, h);
    list.norm("ln_2", h, true);
    conv("mlp.c_fc", h, model.ffn);
    conv("mlp.c_proj", model.ffn, h);
  }
  list.at("");
  list.norm("ln_f", h, true);
  return std::move(list.all);
}

std::vector<ModelTensor> gpt_neox(const ModelSpec& model) {
  const std::int64_t h = model.hidden;
  List list;
  list.add("gpt_neox.embed_in.weight", {model.vocab, h});
  for (int i = 0; i < model.layer_count(); ++i) {
    list.at(fmt::format("gpt_neox.layers.{}.", i));
    list.norm("input_layernorm", h, true);
    list.norm("post_attention_layernorm", h, true);
    list.linear("attention.query_key_value", 3 * h, h, model.qkv_bias);
    list.linear("attention.dense", h, h, model.output_bias);
    list.linear("mlp.dense_h_to_4h", model.ffn, h, model.mlp_bias);
    list.linear("mlp.dense_4h_to_h", h, model.ffn, model.mlp_bias);
  }
  list.at("");
  list.norm("gpt_neox.final_layer_norm", h, true);
  list.add("embed_out.weight", {model.vocab, h});
  list.all.back().optional = model.tied_embeddings;
  return std::move(list.all);
}

// --- which of them a model can have --------------------------------------------------------------

/// Rotary positions, and no part that Llama's kin do not have.
bool like_llama(const ModelSpec& model) {
  return model.position == Position::rotary && !model.parallel_block && !model.embedding_norm &&
         model.final_norm && !model.head_bias && (model.norm == Norm::rms || model.norm_bias) &&
         (model.norms_per_layer == 2 || model.norms_per_layer == 4);
}
bool plain(const ModelSpec& model) { return like_llama(model) && !model.mixture && !model.latent; }
bool mixture(const ModelSpec& model) {
  return like_llama(model) && model.mixture && !model.latent && !model.mixture->expert_bias &&
         !model.mixture->router_bias;
}

constexpr std::array<Naming, 9> table{{
    {"Llama", plain, llama_like<attention, mlp, mlp, norms>},
    {"OLMo-2", [](const ModelSpec& model) { return plain(model) && model.qk_norm_all_heads; },
     llama_like<attention, mlp, mlp, norms_behind>},
    {"Phi-3", [](const ModelSpec& model) { return plain(model) && model.gated && !model.qk_norm; },
     llama_like<fused_attention, fused_mlp, fused_mlp, norms>},
    {"Mixtral",
     [](const ModelSpec& model) { return mixture(model) && model.mixture->shared_ffn == 0; },
     llama_like<attention, mlp, mixtral_experts, norms>},
    {"Qwen-MoE", mixture, llama_like<attention, mlp, qwen_experts, norms>},
    {"DeepSeek",
     [](const ModelSpec& model) {
       return like_llama(model) && model.mixture && model.latent && !model.mixture->expert_bias;
     },
     llama_like<latent_attention, mlp, deepseek_experts, norms>},
    {"gpt-oss",
     [](const ModelSpec& model) {
       return like_llama(model) && model.mixture && model.mixture->expert_bias && !model.latent;
     },
     llama_like<attention, mlp, stacked_experts, norms>},
    {"GPT-2",
     [](const ModelSpec& model) {
       return model.position == Position::learned && !model.gated && model.tied_embeddings &&
              model.activation == Activation::gelu && model.norm_bias && model.qkv_bias &&
              model.output_bias && model.mlp_bias && model.final_norm &&
              model.kv_heads == model.heads;
     },
     gpt2},
    {"GPT-NeoX",
     [](const ModelSpec& model) {
       return model.position == Position::rotary && !model.gated && model.norm_bias &&
              model.kv_heads == model.heads && model.norms_per_layer == 2 && !model.mixture;
     },
     gpt_neox},
}};

}  // namespace

std::span<const Naming> namings() { return table; }

}  // namespace strategies::checkpoint_file
