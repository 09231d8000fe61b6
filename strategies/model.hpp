#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/document.hpp"

/// A decoder-only transformer as numbers: enough to count parameters exactly and to lay out every
/// operator of a training step.
namespace strategies {

enum class Activation { gelu, silu, relu, relu_squared };
enum class Position { rotary, learned, alibi, none };
enum class Norm { rms, layer };

/// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434): ranks and widths of its
/// projections.
struct LatentAttention {
  std::int64_t q_rank = 0;         ///< 0: queries are projected directly
  std::int64_t kv_rank = 0;
  std::int64_t rope_head_dim = 0;
  std::int64_t nope_head_dim = 0;
  std::int64_t value_head_dim = 0;
};

struct Mixture {
  int experts = 0;
  int experts_per_token = 0;
  std::int64_t expert_ffn = 0;
  int shared_experts = 0;          ///< always active
  std::int64_t shared_ffn = 0;     ///< width of all shared experts together
  bool shared_gate = false;        ///< Qwen2-MoE: sigmoid gate, hidden parameters
  bool router_bias = false;        ///< a learned bias per expert that counts as a parameter
  bool expert_bias = false;
  double capacity_factor = 0;      ///< 0: dropless
};

/// What kind of block each layer is.
struct LayerKind {
  bool mixture = false;            ///< MoE instead of the dense MLP
  std::int64_t window = 0;         ///< sliding-window attention; 0: full

  bool operator==(const LayerKind&) const = default;
  auto operator<=>(const LayerKind&) const = default;
};

struct ModelSpec {
  std::string name;
  std::int64_t hidden = 0;
  std::int64_t ffn = 0;            ///< width of a dense MLP
  int heads = 0;
  int kv_heads = 0;
  std::int64_t head_dim = 0;
  std::int64_t vocab = 0;
  std::int64_t positions = 0;      ///< rows of a learned position table, or the context length
  bool tied_embeddings = false;
  bool gated = true;               ///< three MLP matrices instead of two
  Activation activation = Activation::silu;
  Position position = Position::rotary;
  Norm norm = Norm::rms;
  bool norm_bias = false;          ///< LayerNorm bias
  bool parallel_block = false;     ///< attention and MLP from the same input (GPT-NeoX, Falcon)
  bool qkv_bias = false;
  bool output_bias = false;        ///< of the attention output projection
  bool mlp_bias = false;
  bool qk_norm = false;            ///< RMS norm of each head's query and key (Qwen3)
  bool attention_sinks = false;    ///< one learned logit per head (gpt-oss)
  bool final_norm = true;
  bool head_bias = false;
  int norms_per_layer = 2;
  double dropout = 0;
  std::optional<LatentAttention> latent;
  std::optional<Mixture> mixture;
  std::vector<LayerKind> layers;   ///< one per block, in order

  int layer_count() const { return static_cast<int>(layers.size()); }
};

/// Parameters by part; `total()` equals the published count.
struct ParameterCount {
  std::int64_t embedding = 0;      ///< token and position tables
  std::int64_t attention = 0;      ///< all layers
  std::int64_t mlp = 0;            ///< dense MLPs, all layers
  std::int64_t experts = 0;        ///< routed experts
  std::int64_t shared_experts = 0;
  std::int64_t router = 0;
  std::int64_t norms = 0;
  std::int64_t head = 0;           ///< 0 when tied
  std::int64_t total() const {
    return embedding + attention + mlp + experts + shared_experts + router + norms + head;
  }
  /// Parameters that one token passes through: routed experts by top-k.
  std::int64_t active = 0;
};

ParameterCount count_parameters(const ModelSpec& model);

/// From a Hugging Face `config.json`, unchanged: `model_type` selects the reader.
base::Result<ModelSpec> read_hf_config(std::string_view json, const std::string& file);

/// From the `model:` map of our YAML (keys are the fields above).
base::Result<ModelSpec> read_model(const base::Document& document, const base::Node& node,
                                   const std::string& path);

}  // namespace strategies
