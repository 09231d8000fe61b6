#include <fmt/format.h>

#include <algorithm>

#include "strategies/model_check.hpp"

namespace strategies {

namespace {

/// Which layers are which; the two maps below fill it.
struct Layout {
  int first_dense = 0;    ///< leading layers with a dense MLP
  int mixture_every = 1;  ///< of the others, each n-th layer is a mixture
  std::int64_t window = 0;
  int full_attention_every = 0;  ///< each n-th layer sees everything despite `window`; 0: none
};

void read_shape(base::MapReader& map, ModelSpec& model, int& layers) {
  map.read("name", model.name);
  map.require("layers", layers, layer_range);
  map.require("hidden", model.hidden, width_range);
  map.require("heads", model.heads, head_range);
  map.read("kv_heads", model.kv_heads, head_range);
  map.read("head_dim", model.head_dim, width_range);
  map.require("vocab", model.vocab, vocab_range);
}

void read_choices(base::MapReader& map, ModelSpec& model) {
  map.read("tied_embeddings", model.tied_embeddings);
  map.read("gated", model.gated);
  map.read_choice("activation", model.activation, activation_names);
  map.read_choice("position", model.position, position_names);
  if (model.position == Position::learned)
    map.require("positions", model.positions, position_table_range);
  else
    map.read("positions", model.positions, position_range);
  map.read_choice("norm", model.norm, norm_names);
  map.read("norm_bias", model.norm_bias);
  map.read("parallel_block", model.parallel_block);
  map.read("qkv_bias", model.qkv_bias);
  map.read("output_bias", model.output_bias);
  map.read("mlp_bias", model.mlp_bias);
  map.read("qk_norm", model.qk_norm);
  map.read("qk_norm_all_heads", model.qk_norm_all_heads);
  map.read("attention_sinks", model.attention_sinks);
  map.read("embedding_norm", model.embedding_norm);
  map.read("final_norm", model.final_norm);
  map.read("head_bias", model.head_bias);
  map.read("norms_per_layer", model.norms_per_layer, {0, 4});
  map.read("dropout", model.dropout, {0.0, 1.0});
}

void read_latent(base::MapReader& parent, ModelSpec& model) {
  std::optional<base::MapReader> map = parent.map("latent");
  if (!map) return;
  LatentAttention latent;
  map->read("q_rank", latent.q_rank, {0, width_range.max});
  map->require("kv_rank", latent.kv_rank, width_range);
  map->require("rope_head_dim", latent.rope_head_dim, width_range);
  map->require("nope_head_dim", latent.nope_head_dim, width_range);
  map->require("value_head_dim", latent.value_head_dim, width_range);
  map->finish();
  const std::int64_t width = latent.nope_head_dim + latent.rope_head_dim;
  if (model.head_dim != 0 && model.head_dim != width)
    parent.error(
        "head_dim",
        fmt::format("'head_dim' is {}, but the latent heads are {} wide", model.head_dim, width),
        "leave it out");
  model.head_dim = width;
  model.latent = latent;
}

void read_mixture(base::MapReader& parent, ModelSpec& model, Layout& layout) {
  std::optional<base::MapReader> map = parent.map("mixture");
  if (!map) return;
  Mixture mixture;
  map->require("experts", mixture.experts, expert_range);
  map->require("experts_per_token", mixture.experts_per_token, expert_range);
  map->require("expert_ffn", mixture.expert_ffn, width_range);
  map->read("shared_experts", mixture.shared_experts, {0, expert_range.max});
  mixture.shared_ffn = mixture.shared_experts * mixture.expert_ffn;
  map->read("shared_ffn", mixture.shared_ffn, {0, width_range.max});
  map->read("shared_gate", mixture.shared_gate);
  map->read("router_bias", mixture.router_bias);
  map->read("expert_bias", mixture.expert_bias);
  map->read("capacity_factor", mixture.capacity_factor, {0.0, 1000.0});
  map->read("first_dense", layout.first_dense, {0, layer_range.max});
  map->read("every", layout.mixture_every, layer_range);
  map->finish();
  model.mixture = mixture;
}

std::vector<LayerKind> lay_out(const ModelSpec& model, const Layout& layout, int layers) {
  std::vector<LayerKind> kinds(static_cast<std::size_t>(layers));
  for (int i = 0; i < layers; ++i) {
    LayerKind& kind = kinds[static_cast<std::size_t>(i)];
    kind.mixture = model.mixture && i >= layout.first_dense && (i + 1) % layout.mixture_every == 0;
    const bool full = layout.full_attention_every > 0 && (i + 1) % layout.full_attention_every == 0;
    kind.window = full ? 0 : layout.window;
  }
  return kinds;
}

}  // namespace

base::Result<ModelSpec> read_model(const base::Document& document, const base::Node& node,
                                   const std::string& path, base::Origins* origins) {
  base::Diagnostics problems;
  base::MapReader map(document, node, path, problems, origins);
  ModelSpec model;
  Layout layout;
  int layers = 0;
  read_shape(map, model, layers);
  read_choices(map, model);
  read_latent(map, model);
  read_mixture(map, model, layout);
  map.read("window", layout.window, position_range);
  map.read("full_attention_every", layout.full_attention_every, {0, layer_range.max});
  model.layers = lay_out(model, layout, layers);
  const auto is_dense = [](const LayerKind& layer) { return !layer.mixture; };
  if (std::any_of(model.layers.begin(), model.layers.end(), is_dense))
    map.require("ffn", model.ffn, width_range);
  else
    map.read("ffn", model.ffn, width_range);
  map.finish();

  FieldPlaces places(map.where());
  for (const std::string_view field : {"heads", "kv_heads", "hidden"})
    places.add(std::string(field), std::string(field), map.where(field));
  if (const base::Node* mixture = node.find("mixture"); mixture != nullptr)
    if (const base::Node* top = mixture->find("experts_per_token"); top != nullptr)
      places.add("mixture.experts_per_token", "experts_per_token", document.where(*top));
  derive_heads(model, places, problems);
  check_model(model, places, problems);
  if (base::has_errors(problems)) return tl::unexpected(std::move(problems));
  return model;
}

}  // namespace strategies
