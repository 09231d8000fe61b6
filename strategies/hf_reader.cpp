#include "strategies/hf_reader.hpp"

#include <fmt/format.h>

namespace strategies {

namespace {

/// Names of the activations in Hugging Face's table that we know; approximations of GELU cost the
/// same.
constexpr std::array<std::pair<std::string_view, Activation>, 11> hf_activations{{
    {"silu", Activation::silu},
    {"swish", Activation::silu},
    {"gelu", Activation::gelu},
    {"gelu_new", Activation::gelu},
    {"gelu_fast", Activation::gelu},
    {"gelu_python", Activation::gelu},
    {"gelu_pytorch_tanh", Activation::gelu},
    {"quick_gelu", Activation::gelu},
    {"relu", Activation::relu},
    {"relu2", Activation::relu_squared},
    {"relu_squared", Activation::relu_squared},
}};

}  // namespace

void set_biases(ModelSpec& model, bool biased) {
  model.norm_bias = model.qkv_bias = model.output_bias = model.mlp_bias = biased;
}

bool HfReader::number(std::string_view key, std::string_view field, std::int64_t& out,
                      base::Range<std::int64_t> range) {
  if (!map.has(key)) return false;
  places.add(std::string(field), std::string(key), map.where(key));
  return map.read(key, out, range);
}

bool HfReader::number(std::string_view key, std::string_view field, int& out,
                      base::Range<int> range) {
  std::int64_t wide = out;
  if (!number(key, field, wide, {range.min, range.max})) return false;
  out = static_cast<int>(wide);
  return true;
}

void HfReader::required(std::string_view key, std::string_view field, std::int64_t& out,
                        base::Range<std::int64_t> range) {
  if (map.has(key))
    number(key, field, out, range);
  else
    map.require(key, out, range);  // reports the absence
}

void HfReader::required(std::string_view key, std::string_view field, int& out,
                        base::Range<int> range) {
  std::int64_t wide = out;
  required(key, field, wide, {range.min, range.max});
  out = static_cast<int>(wide);
}

int HfReader::integer(std::string_view key, int absent, base::Range<int> range) {
  int value = absent;
  number(key, key, value, range);
  return value;
}

bool HfReader::flag(std::string_view key, bool absent) {
  bool value = absent;
  map.read(key, value);
  return value;
}

double HfReader::fraction(std::string_view key, double absent) {
  double value = absent;
  map.read(key, value, {0.0, 1.0});
  return value;
}

void HfReader::activation(std::string_view key, Activation absent) {
  model.activation = absent;
  map.read_choice(key, model.activation, hf_activations);
}

void HfReader::common_shape() {
  required("hidden_size", "hidden", model.hidden);
  required("num_hidden_layers", "layers", layers, layer_range);
  required("num_attention_heads", "heads", model.heads, head_range);
  number("num_key_value_heads", "kv_heads", model.kv_heads, head_range);
  number("head_dim", "head_dim", model.head_dim, width_range);
  required("vocab_size", "vocab", model.vocab, vocab_range);
  positions("max_position_embeddings");
}

void HfReader::positions(std::string_view key) {
  if (model.position == Position::learned)
    required(key, "positions", model.positions, position_table_range);
  else
    number(key, "positions", model.positions, position_range);
}

std::vector<LayerKind>& HfReader::make_layers() {
  model.layers.resize(static_cast<std::size_t>(layers));
  return model.layers;
}

std::int64_t HfReader::sliding_window() {
  std::int64_t window = 0;
  number("sliding_window", "window", window, position_range);
  return window;
}

std::vector<bool> HfReader::sliding_layers() {
  std::vector<std::string> types;
  if (!map.read("layer_types", types)) return {};
  if (static_cast<int>(types.size()) != layers) {
    map.error("layer_types",
              fmt::format("'layer_types' lists {} layers, but there are {}", types.size(), layers));
    return {};
  }
  const base::Node* list = map.find("layer_types");
  std::vector<bool> sliding;
  for (std::size_t i = 0; i < types.size(); ++i) {
    sliding.push_back(types[i] == "sliding_attention");
    if (sliding.back() || types[i] == "full_attention") continue;
    problems_.push_back({document_.where(list->items[i]),
                         fmt::format("layer type '{}' is not known", types[i]),
                         "known: full_attention, sliding_attention"});
  }
  return sliding;
}

std::vector<int> HfReader::layer_list(std::string_view key) {
  std::vector<double> numbers;
  map.read(key, numbers);
  std::vector<int> list;
  for (const double number : numbers) {
    if (number >= 0 && number < layers && number == static_cast<int>(number)) {
      list.push_back(static_cast<int>(number));
      continue;
    }
    map.error(key,
              fmt::format("'{}' names layer {}, but layers are 0 to {}", key, number, layers - 1));
  }
  return list;
}

}  // namespace strategies
