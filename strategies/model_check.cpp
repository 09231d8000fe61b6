#include "strategies/model_check.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace strategies {

namespace {

/// Leaves room to multiply by the bytes of a parameter and its optimizer state.
constexpr double parameters_max = 1e16;

/// Number of parameters without overflow and without biases and norms.
double estimate_parameters(const ModelSpec& m) {
  const auto h = static_cast<double>(m.hidden);
  const double matrices = m.gated ? 3 : 2;
  const double attention = 2.0 * h * static_cast<double>(m.head_dim) * (m.heads + m.kv_heads);
  double dense = attention + matrices * h * static_cast<double>(m.ffn);
  double mixed = attention;
  if (m.mixture)
    mixed += matrices * h *
             (static_cast<double>(m.mixture->expert_ffn) * m.mixture->experts +
              static_cast<double>(m.mixture->shared_ffn));
  const auto is_mixture = [](const LayerKind& layer) { return layer.mixture; };
  const auto mixture_layers =
      static_cast<double>(std::count_if(m.layers.begin(), m.layers.end(), is_mixture));
  double latent = 0;
  if (m.latent)
    latent = static_cast<double>(m.latent->q_rank + m.latent->kv_rank + m.hidden) *
             (h + m.heads * static_cast<double>(m.head_dim + m.latent->value_head_dim));
  const std::int64_t positions = m.position == Position::learned ? m.positions : 0;
  const auto rows = static_cast<double>(2 * m.vocab + positions);
  return mixture_layers * mixed + (m.layer_count() - mixture_layers) * dense +
         m.layer_count() * latent + rows * h;
}

void check_mixture(const ModelSpec& model, const FieldPlaces& places, base::Diagnostics& problems) {
  const Mixture& mixture = *model.mixture;
  const auto field = std::string_view("mixture.experts_per_token");
  if (mixture.experts > 0 && mixture.experts_per_token > mixture.experts)
    problems.push_back({places.at(field),
                        fmt::format("'{}' is {}, but there are only {} experts", places.name(field),
                                    mixture.experts_per_token, mixture.experts),
                        ""});
}

}  // namespace

std::string FieldPlaces::name(std::string_view field) const {
  const auto found = places_.find(field);
  return found == places_.end() ? std::string(field) : found->second.key;
}

base::SourceRef FieldPlaces::at(std::string_view field) const {
  const auto found = places_.find(field);
  return found == places_.end() ? whole_ : found->second.where;
}

void FieldPlaces::export_to(base::Origins& origins, const std::string& prefix) const {
  origins.add(prefix, whole_);
  for (const auto& [field, place] : places_)
    origins.add(fmt::format("{}.{}", prefix, field), place.where);
}

void derive_heads(ModelSpec& model, const FieldPlaces& places, base::Diagnostics& problems) {
  if (model.heads == 0) return;
  if (model.kv_heads == 0) model.kv_heads = model.heads;
  if (model.head_dim != 0 || model.hidden == 0) return;
  if (model.hidden % model.heads == 0) {
    model.head_dim = model.hidden / model.heads;
    return;
  }
  problems.push_back({places.at("heads"),
                      fmt::format("'{}' is {}, which does not divide '{}' {}", places.name("heads"),
                                  model.heads, places.name("hidden"), model.hidden),
                      "choose a divisor, or give 'head_dim'"});
}

void check_model(const ModelSpec& model, const FieldPlaces& places, base::Diagnostics& problems) {
  const std::size_t before = problems.size();
  if (model.heads > 0 && model.kv_heads > 0 && model.heads % model.kv_heads != 0)
    problems.push_back(
        {places.at("kv_heads"),
         fmt::format("'{}' is {}, which does not divide '{}' {}", places.name("kv_heads"),
                     model.kv_heads, places.name("heads"), model.heads),
         "each key-value head serves the same number of query heads"});
  const std::int64_t rotated = model.latent ? model.latent->rope_head_dim : model.head_dim;
  if (model.position == Position::rotary && rotated % 2 != 0)
    problems.push_back(
        {places.at("head_dim"),
         fmt::format("rotary positions need an even width, but heads are {} wide", rotated), ""});
  if (model.mixture) check_mixture(model, places, problems);
  const double parameters = estimate_parameters(model);
  if (problems.size() == before && parameters > parameters_max)
    problems.push_back({places.at(""),
                        fmt::format("the model has about {:.1e} parameters, more than {:.0e}",
                                    parameters, parameters_max),
                        "check its widths and its numbers of layers and experts"});
}

}  // namespace strategies
