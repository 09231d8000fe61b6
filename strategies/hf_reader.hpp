#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/map_reader.hpp"
#include "strategies/model_check.hpp"

/// What the readers of Hugging Face configurations share. A family is one function that fills a
/// ModelSpec, and one row of the table in hf_config.cpp.
namespace strategies {

class HfReader {
 public:
  HfReader(const base::Document& document, base::Diagnostics& problems)
      : map(document, document.root, "", problems),
        places(map.where()),
        document_(document),
        problems_(problems) {}

  base::MapReader map;
  FieldPlaces places;
  ModelSpec model;
  int layers = 0;

  /// Reads `key` into `out`, which is field `field` of ModelSpec; an absent key leaves `out` alone.
  bool number(std::string_view key, std::string_view field, std::int64_t& out,
              base::Range<std::int64_t> range);
  bool number(std::string_view key, std::string_view field, int& out, base::Range<int> range);
  /// As `number`, but an absent key is a mistake.
  void required(std::string_view key, std::string_view field, std::int64_t& out,
                base::Range<std::int64_t> range = width_range);
  void required(std::string_view key, std::string_view field, int& out, base::Range<int> range);
  /// Reads a number that is no field of ModelSpec.
  int integer(std::string_view key, int absent, base::Range<int> range);
  /// The older name of a key where the file has it, else the newer.
  std::string_view either(std::string_view older, std::string_view newer) const {
    return map.has(older) && !map.has(newer) ? older : newer;
  }
  bool flag(std::string_view key, bool absent);
  double fraction(std::string_view key, double absent);
  void activation(std::string_view key, Activation absent);

  /// hidden_size, num_hidden_layers, num_attention_heads, num_key_value_heads, head_dim, vocab_size
  /// and max_position_embeddings: the same names in most families.
  void common_shape();
  /// The context length; with learned positions the rows of their table, which must be there.
  void positions(std::string_view key);
  void tied(bool absent) { model.tied_embeddings = flag("tie_word_embeddings", absent); }

  /// Makes the list of layers once `layers` is known, all dense and without window.
  std::vector<LayerKind>& make_layers();
  /// Window of the layers that `layer_types` calls sliding; where the key is absent, of those for
  /// which `slides(i)` holds.
  template <class Slides>
  void windows(std::int64_t window, Slides slides) {
    std::vector<LayerKind>& kinds = make_layers();
    const std::vector<bool> listed = sliding_layers();
    for (std::size_t i = 0; i < kinds.size(); ++i)
      if (listed.empty() ? slides(static_cast<int>(i)) : listed[i]) kinds[i].window = window;
  }
  /// The value of `sliding_window`; 0 when absent or null.
  std::int64_t sliding_window();
  /// Layers named by a list of indices.
  std::vector<int> layer_list(std::string_view key);

 private:
  /// From `layer_types`: which layers slide; empty when the key is absent or wrong.
  std::vector<bool> sliding_layers();

  const base::Document& document_;
  base::Diagnostics& problems_;
};

/// Biases of norms, attention and MLP, all alike.
void set_biases(ModelSpec& model, bool biased);

using HfFamily = void (*)(HfReader&);

void read_llama(HfReader& reader);
void read_mistral(HfReader& reader);
void read_mixtral(HfReader& reader);
void read_phi3(HfReader& reader);
void read_gemma(HfReader& reader);
void read_gemma2(HfReader& reader);
void read_gemma3(HfReader& reader);
void read_olmo2(HfReader& reader);
void read_nemotron(HfReader& reader);
void read_qwen2(HfReader& reader);
void read_qwen2_moe(HfReader& reader);
void read_qwen3(HfReader& reader);
void read_qwen3_moe(HfReader& reader);
void read_gpt_oss(HfReader& reader);
void read_deepseek_v2(HfReader& reader);
void read_deepseek_v3(HfReader& reader);
void read_gpt2(HfReader& reader);
void read_gpt_neox(HfReader& reader);
void read_opt(HfReader& reader);
void read_bloom(HfReader& reader);
void read_falcon(HfReader& reader);
void read_mpt(HfReader& reader);

}  // namespace strategies
