#include "strategies/hf_reader.hpp"

/// GPT-2 and its kin: LayerNorm, two MLP matrices, mostly with biases.
namespace strategies {

namespace {

void set_gpt_defaults(HfReader& reader) {
  ModelSpec& model = reader.model;
  model.gated = false;
  model.activation = Activation::gelu;
  model.norm = Norm::layer;
  set_biases(model, true);
}

/// Width of the MLP under `key`; four times the hidden width when absent.
void read_wide_mlp(HfReader& reader, std::string_view key) {
  reader.model.ffn = 4 * reader.model.hidden;
  reader.number(key, "ffn", reader.model.ffn, width_range);
}

}  // namespace

void read_gpt2(HfReader& reader) {
  set_gpt_defaults(reader);
  ModelSpec& model = reader.model;
  reader.required("n_embd", "hidden", model.hidden);
  reader.required("n_layer", "layers", reader.layers, layer_range);
  reader.required("n_head", "heads", model.heads, head_range);
  reader.required("vocab_size", "vocab", model.vocab, vocab_range);
  model.position = Position::learned;
  reader.positions("n_positions");
  read_wide_mlp(reader, "n_inner");
  reader.activation("activation_function", Activation::gelu);
  reader.tied(true);
  model.dropout = reader.fraction("resid_pdrop", 0.1);
  reader.make_layers();
}

void read_gpt_neox(HfReader& reader) {
  set_gpt_defaults(reader);
  ModelSpec& model = reader.model;
  reader.common_shape();
  reader.required("intermediate_size", "ffn", model.ffn);
  reader.activation("hidden_act", Activation::gelu);
  reader.tied(false);
  model.qkv_bias = model.output_bias = reader.flag("attention_bias", true);
  model.parallel_block = reader.flag("use_parallel_residual", true);
  model.dropout = reader.fraction("hidden_dropout", 0);
  reader.make_layers();
}

/// OPT (arXiv 2205.01068); its position table has two rows more than positions.
void read_opt(HfReader& reader) {
  set_gpt_defaults(reader);
  ModelSpec& model = reader.model;
  model.position = Position::learned;
  reader.common_shape();
  reader.required("ffn_dim", "ffn", model.ffn);
  reader.activation("activation_function", Activation::relu);
  reader.tied(true);
  if (model.positions > 0) model.positions += 2;
  set_biases(model, reader.flag("enable_bias", true));
  model.norm_bias = true;
  model.dropout = reader.fraction("dropout", 0.1);
  model.final_norm = reader.flag("do_layer_norm_before", true);
  std::int64_t embedding_width = model.hidden;
  if (reader.number("word_embed_proj_dim", "embedding_width", embedding_width, width_range) &&
      embedding_width != model.hidden)
    reader.map.error("word_embed_proj_dim",
                     "embeddings of another width than 'hidden_size' are not supported");
  reader.make_layers();
}

void read_bloom(HfReader& reader) {
  set_gpt_defaults(reader);
  ModelSpec& model = reader.model;
  reader.required(reader.either("n_embed", "hidden_size"), "hidden", model.hidden);
  reader.required(reader.either("num_hidden_layers", "n_layer"), "layers", reader.layers,
                  layer_range);
  reader.required(reader.either("num_attention_heads", "n_head"), "heads", model.heads, head_range);
  reader.required("vocab_size", "vocab", model.vocab, vocab_range);
  reader.tied(true);
  model.ffn = 4 * model.hidden;
  model.position = Position::alibi;
  model.embedding_norm = true;
  model.dropout = reader.fraction("hidden_dropout", 0);
  reader.make_layers();
}

/// Falcon (arXiv 2311.16867): attention and MLP side by side, on one norm or on one norm each.
void read_falcon(HfReader& reader) {
  set_gpt_defaults(reader);
  ModelSpec& model = reader.model;
  reader.common_shape();
  read_wide_mlp(reader, "ffn_hidden_size");
  reader.activation("activation", Activation::gelu);
  reader.tied(true);
  set_biases(model, reader.flag("bias", false));
  model.norm_bias = true;
  model.dropout = reader.fraction("hidden_dropout", 0);
  model.position = reader.flag("alibi", false) ? Position::alibi : Position::rotary;
  const bool grouped = reader.flag("new_decoder_architecture", false);
  const bool one_key = reader.flag("multi_query", true);
  if (grouped)
    reader.number("num_kv_heads", "kv_heads", model.kv_heads, head_range);
  else
    model.kv_heads = one_key ? 1 : 0;
  model.parallel_block = grouped || reader.flag("parallel_attn", true);
  const int parallel_norms = reader.integer("num_ln_in_parallel_attn", grouped ? 2 : 1, {1, 2});
  model.norms_per_layer = model.parallel_block ? parallel_norms : 2;
  reader.make_layers();
}

void read_mpt(HfReader& reader) {
  set_gpt_defaults(reader);
  ModelSpec& model = reader.model;
  reader.required("d_model", "hidden", model.hidden);
  reader.required("n_layers", "layers", reader.layers, layer_range);
  reader.required("n_heads", "heads", model.heads, head_range);
  reader.required("vocab_size", "vocab", model.vocab, vocab_range);
  model.ffn = reader.integer("expansion_ratio", 4, {1, 64}) * model.hidden;
  reader.tied(true);
  set_biases(model, !reader.flag("no_bias", true));
  model.dropout = reader.fraction("resid_pdrop", 0);
  bool alibi = false;
  if (std::optional<base::MapReader> attention = reader.map.map("attn_config")) {
    attention->read("alibi", alibi);
    attention->read("kv_n_heads", model.kv_heads, head_range);
    std::string type;
    if (attention->read("attn_type", type) && type == "multiquery_attention") model.kv_heads = 1;
  }
  const bool learned = reader.flag("learned_pos_emb", true) && !alibi;
  model.position = alibi ? Position::alibi : learned ? Position::learned : Position::none;
  reader.positions("max_seq_len");
  reader.make_layers();
}

}  // namespace strategies
