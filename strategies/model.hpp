#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/document.hpp"

/// A decoder-only transformer as numbers: enough to count parameters exactly and to lay out every
/// operator of a training step.
namespace strategies {

enum class Activation { gelu, silu, relu, relu_squared };
enum class Position { rotary, learned, alibi, none };
enum class Norm { rms, layer };

inline constexpr std::array<std::pair<std::string_view, Activation>, 4> activation_names{{
    {"gelu", Activation::gelu},
    {"silu", Activation::silu},
    {"relu", Activation::relu},
    {"relu_squared", Activation::relu_squared},
}};
inline constexpr std::array<std::pair<std::string_view, Position>, 4> position_names{{
    {"rotary", Position::rotary},
    {"learned", Position::learned},
    {"alibi", Position::alibi},
    {"none", Position::none},
}};
inline constexpr std::array<std::pair<std::string_view, Norm>, 2> norm_names{{
    {"rms", Norm::rms},
    {"layer", Norm::layer},
}};

/// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434): ranks and widths of its
/// projections.
struct LatentAttention {
  std::int64_t q_rank = 0;  ///< 0: queries are projected directly
  std::int64_t kv_rank = 0;
  std::int64_t rope_head_dim = 0;
  std::int64_t nope_head_dim = 0;
  std::int64_t value_head_dim = 0;
};

struct Mixture {
  int experts = 0;
  int experts_per_token = 0;
  std::int64_t expert_ffn = 0;
  int shared_experts = 0;       ///< always active
  std::int64_t shared_ffn = 0;  ///< width of all shared experts together
  bool shared_gate = false;     ///< Qwen2-MoE: sigmoid gate, hidden parameters
  bool router_bias = false;     ///< one per expert (gpt-oss; DeepSeek-V3's score correction)
  bool expert_bias = false;     ///< on both projections of a routed expert
  double capacity_factor = 0;   ///< 0: dropless
};

/// What kind of block each layer is.
struct LayerKind {
  bool mixture = false;     ///< MoE instead of the dense MLP
  std::int64_t window = 0;  ///< sliding-window attention; 0: full

  bool operator==(const LayerKind&) const = default;
  auto operator<=>(const LayerKind&) const = default;
};

struct ModelSpec {
  std::string name;
  std::int64_t hidden = 0;
  std::int64_t ffn = 0;  ///< width of a dense MLP
  int heads = 0;
  int kv_heads = 0;
  std::int64_t head_dim = 0;  ///< with latent attention: nope_head_dim + rope_head_dim
  std::int64_t vocab = 0;
  std::int64_t positions = 0;  ///< rows of a learned position table, or the context length
  bool tied_embeddings = false;
  bool gated = true;  ///< three MLP matrices instead of two
  Activation activation = Activation::silu;
  Position position = Position::rotary;
  Norm norm = Norm::rms;
  bool norm_bias = false;       ///< LayerNorm bias
  bool parallel_block = false;  ///< attention and MLP from the same input (GPT-NeoX, Falcon)
  bool qkv_bias = false;
  bool output_bias = false;  ///< of the attention output projection
  bool mlp_bias = false;
  bool qk_norm = false;            ///< RMS norm of each head's query and key (Qwen3)
  bool qk_norm_all_heads = false;  ///< with qk_norm: one norm over all heads together (OLMo-2)
  bool attention_sinks = false;    ///< one learned logit per head (gpt-oss)
  bool embedding_norm = false;     ///< a norm right after the embedding (BLOOM)
  bool final_norm = true;
  bool head_bias = false;
  int norms_per_layer = 2;
  double dropout = 0;
  std::optional<LatentAttention> latent;
  std::optional<Mixture> mixture;
  std::vector<LayerKind> layers;  ///< one per block, in order

  int layer_count() const { return static_cast<int>(layers.size()); }
};

/// Parameters by part; `total()` equals the published count.
struct ParameterCount {
  std::int64_t embedding = 0;  ///< token and position tables
  std::int64_t attention = 0;  ///< all layers
  std::int64_t mlp = 0;        ///< dense MLPs, all layers
  std::int64_t experts = 0;    ///< routed experts
  std::int64_t shared_experts = 0;
  std::int64_t router = 0;
  std::int64_t norms = 0;
  std::int64_t head = 0;  ///< only its bias when tied
  std::int64_t total() const {
    return embedding + attention + mlp + experts + shared_experts + router + norms + head;
  }
  /// Parameters that one token passes through: routed experts by top-k.
  std::int64_t active = 0;
};

/// Exact, in 64 bits: the readers refuse models of more than 10^16 parameters.
ParameterCount count_parameters(const ModelSpec& model);

/// From a Hugging Face `config.json`, unchanged: `model_type` selects the reader. Keys that do not
/// change shapes are ignored. `origins` gets the places of our field names, as "model.heads".
base::Result<ModelSpec> read_hf_config(std::string_view json, const std::string& file,
                                       base::Origins* origins = nullptr);

/// From the `model:` map of our YAML: keys are the fields above; see scenarios/models.
base::Result<ModelSpec> read_model(const base::Document& document, const base::Node& node,
                                   const std::string& path, base::Origins* origins = nullptr);

}  // namespace strategies
