#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "sim/training/setting.hpp"
#include "strategies/model_check.hpp"

namespace sim::training {

namespace {

using strategies::ModelSpec;

/// The number that follows `words` in a note.
std::optional<int> number_after(std::string_view note, std::string_view words) {
  const std::size_t at = note.find(words);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = note.substr(at + words.size());
  int value = 0;
  const auto [end, status] = std::from_chars(rest.data(), rest.data() + rest.size(), value);
  if (status != std::errc() || value < 1) return std::nullopt;
  return value;
}

template <class T>
bool within(const std::optional<int>& value, const base::Range<T>& range) {
  return value && *value >= range.min && *value <= range.max;
}

std::string missing_dimension(const Row& row) {
  using strategies::head_range;
  using strategies::width_range;
  if (!within(row.layers, strategies::layer_range)) return "layers missing or out of range";
  if (!within(row.hidden, width_range)) return "hidden missing or out of range";
  if (!within(row.heads, head_range)) return "heads missing or out of range";
  if (!within(row.vocab, strategies::vocab_range)) return "vocab missing or out of range";
  if (!within(row.sequence, strategies::position_table_range)) return "seq_len missing";
  if (row.kv_heads && !within(row.kv_heads, head_range)) return "kv_heads out of range";
  if (row.head_dim && !within(row.head_dim, width_range)) return "head_dim out of range";
  const bool all_mixture = row.experts && row.dense_layers.value_or(0) == 0;
  if (!all_mixture && !within(row.ffn, width_range)) return "ffn missing or out of range";
  if (row.experts && (!within(row.experts, strategies::expert_range) ||
                      !within(row.experts_per_token, strategies::expert_range) ||
                      !within(row.expert_ffn, width_range)))
    return "experts missing or out of range";
  if (row.dense_layers.value_or(0) > *row.layers) return "more dense layers than layers";
  if (row.shared_experts.value_or(0) > strategies::expert_range.max)
    return "shared experts out of range";
  return {};
}

bool set_activation(const Row& row, ModelSpec& model) {
  using strategies::Activation;
  if (row.activation == "gelu" || row.activation == "geglu")
    model.activation = Activation::gelu;
  else if (row.activation == "swiglu")
    model.activation = Activation::silu;
  else if (row.activation == "relu2")
    model.activation = Activation::relu_squared;
  else
    return false;
  model.gated = row.gated.value_or(row.activation == "swiglu" || row.activation == "geglu");
  return true;
}

void set_family(const Row& row, const Framework& framework, ModelSpec& model) {
  using strategies::Norm;
  using strategies::Position;
  const std::string_view name = row.model;
  if (row.activation == "relu2") {
    model.norm = Norm::layer;
    model.norm_bias = true;  // layernorm1p has both
  }
  if (name.starts_with("Qwen3")) model.qk_norm = true;
  if (row.activation != "gelu") return;
  model.norm = Norm::layer;
  model.position = Position::learned;
  model.positions = *row.sequence;
  model.norm_bias = model.qkv_bias = model.output_bias = model.mlp_bias = true;
  if (name.starts_with("MPT")) {
    model.position = Position::alibi;
    model.norm_bias = model.qkv_bias = model.output_bias = model.mlp_bias = false;
  }
  if (name.starts_with("BLOOM")) {
    model.position = Position::alibi;
    model.embedding_norm = true;
  }
  if (row.precision == "fp16") model.dropout = framework.fp16_dropout;
}

bool set_latent(const Row& row, ModelSpec& model) {
  const auto q = number_after(row.note, "q rank ");
  const auto kv = number_after(row.note, "kv rank ");
  const auto nope = number_after(row.note, "head ");
  const auto rope = number_after(row.note, "nope + ");
  const auto value = number_after(row.note, "rope, v ");
  if (!kv || !nope || !rope || !value) return false;
  for (const auto& width : {q, kv, nope, rope, value})
    if (width && !within(width, strategies::width_range)) return false;
  model.latent = strategies::LatentAttention{q.value_or(0), *kv, *rope, *nope, *value};
  model.head_dim = *nope + *rope;
  return true;
}

void set_layers(const Row& row, ModelSpec& model) {
  model.layers.resize(static_cast<std::size_t>(*row.layers));
  // "every second layer has a 128-token sliding window"
  if (const auto window = number_after(row.note, "every second layer has a "))
    for (std::size_t i = 0; i < model.layers.size(); i += 2) model.layers[i].window = *window;
  if (!row.experts) return;
  strategies::Mixture mixture;
  mixture.experts = *row.experts;
  mixture.experts_per_token = *row.experts_per_token;
  mixture.expert_ffn = *row.expert_ffn;
  mixture.shared_experts = row.shared_experts.value_or(0);
  mixture.shared_ffn = mixture.shared_experts * mixture.expert_ffn;
  // Megatron-Bridge's apply_moe_token_drop
  if (row.model.find("tokendrop") != std::string::npos) mixture.capacity_factor = 1;
  model.mixture = mixture;
  for (std::size_t i = static_cast<std::size_t>(row.dense_layers.value_or(0));
       i < model.layers.size(); ++i)
    model.layers[i].mixture = true;
}

std::int64_t padded_vocabulary(const Row& row, const Framework& framework) {
  std::int64_t unit = 1;
  const std::int64_t tensor = std::max(row.tensor.value_or(1), 1);
  switch (framework.padding) {
    case VocabularyPadding::none: break;
    case VocabularyPadding::tensor: unit = tensor; break;
    case VocabularyPadding::tensor_128: unit = 128 * tensor; break;
  }
  return base::ceil_div(*row.vocab, unit) * unit;
}

}  // namespace

Expressed<ModelSpec> model_of(const Row& row, const Framework& framework,
                              std::vector<std::string>& inferred) {
  if (std::string reason = missing_dimension(row); !reason.empty())
    return tl::unexpected(std::move(reason));
  ModelSpec model;
  model.name = row.model;
  model.hidden = *row.hidden;
  model.heads = *row.heads;
  model.kv_heads = row.kv_heads.value_or(*row.heads);
  model.head_dim = row.head_dim.value_or(0);
  model.ffn = row.ffn.value_or(0);
  model.vocab = padded_vocabulary(row, framework);
  model.tied_embeddings = row.tied_embeddings.value_or(false);
  if (!row.tied_embeddings) inferred.emplace_back("untied embeddings");
  if (!set_activation(row, model))
    return tl::unexpected(fmt::format("unknown activation '{}'", row.activation));
  set_family(row, framework, model);
  set_layers(row, model);
  if (row.attention == "mla" && !set_latent(row, model))
    return tl::unexpected(std::string("latent attention without its ranks"));
  base::Diagnostics problems;
  const strategies::FieldPlaces places{base::SourceRef{}};
  strategies::derive_heads(model, places, problems);
  strategies::check_model(model, places, problems);
  if (base::has_errors(problems)) return tl::unexpected(problems.front().message);
  return model;
}

}  // namespace sim::training
