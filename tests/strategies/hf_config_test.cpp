#include <string>

#include "strategies/model.hpp"
#include "tests/support/catch.hpp"

namespace strategies {
namespace {

/// One line per key, so that the line numbers below are those of the list.
const std::string llama = R"({
"model_type": "llama",
"hidden_size": 4096,
"num_hidden_layers": 32,
"num_attention_heads": 32,
"num_key_value_heads": 8,
"intermediate_size": 14336,
"vocab_size": 128256,
"hidden_act": "silu",
"max_position_embeddings": 8192
})";

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const std::size_t at = text.find(what);
  REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

std::vector<std::string> mistakes(const std::string& json) {
  std::vector<std::string> lines;
  const base::Result<ModelSpec> model = read_hf_config(json, "config.json");
  if (!model)
    for (const base::Diagnostic& problem : model.error()) lines.push_back(problem.format());
  return lines;
}

TEST_CASE("a configuration without mistakes is read") { CHECK(mistakes(llama).empty()); }

struct Row {
  const char* name;
  const char* what;  ///< replaced in `llama`
  const char* with;
  std::vector<std::string> want;
};

const Row rows[] = {
    {"not a number",
     "4096",
     "\"wide\"",
     {"config.json:3:16: error: 'hidden_size' must be a whole number, but is text in quotes "
      "(remove the quotes)"}},
    {"a number in quotes",
     "14336",
     "\"14336\"",
     {"config.json:7:22: error: 'intermediate_size' must be a whole number, but is text in "
      "quotes (remove the quotes)"}},
    {"a fraction",
     "4096",
     "4096.5",
     {"config.json:3:16: error: 'hidden_size' is not a whole number: '4096.5'"}},
    {"no layers",
     "\"num_hidden_layers\": 32",
     "\"num_hidden_layers\": 0",
     {"config.json:4:22: error: 'num_hidden_layers' is 0, must be at least 1"}},
    {"a negative width",
     "14336",
     "-1",
     {"config.json:7:22: error: 'intermediate_size' is -1, must be at least 1"}},
    {"a width that no machine has",
     "4096",
     "999999999999",
     {"config.json:3:16: error: 'hidden_size' is 999999999999, must be at most 4194304"}},
    {"a number beyond 64 bits",
     "128256",
     "99999999999999999999999",
     {"config.json:8:15: error: 'vocab_size' is out of range: 99999999999999999999999"}},
    {"heads that do not divide",
     "\"num_attention_heads\": 32",
     "\"num_attention_heads\": 24",
     {"config.json:5:24: error: 'num_attention_heads' is 24, which does not divide 'hidden_size' "
      "4096 (choose a divisor, or give 'head_dim')"}},
    {"key-value heads that do not divide",
     "\"num_key_value_heads\": 8",
     "\"num_key_value_heads\": 5",
     {"config.json:6:24: error: 'num_key_value_heads' is 5, which does not divide "
      "'num_attention_heads' 32 (each key-value head serves the same number of query heads)"}},
    {"more key-value heads than heads",
     "\"num_key_value_heads\": 8",
     "\"num_key_value_heads\": 64",
     {"config.json:6:24: error: 'num_key_value_heads' is 64, which does not divide "
      "'num_attention_heads' 32 (each key-value head serves the same number of query heads)"}},
    {"an activation we do not know",
     "\"silu\"",
     "\"sillu\"",
     {"config.json:9:15: error: 'hidden_act' is 'sillu', must be one of silu, swish, gelu, "
      "gelu_new, gelu_fast, gelu_python, gelu_pytorch_tanh, quick_gelu, relu, relu2, "
      "relu_squared (did you mean 'silu'?)"}},
    {"a family with a slip",
     "\"llama\"",
     "\"lama\"",
     {"config.json:2:15: error: 'model_type' is 'lama', which is not known (did you mean "
      "'llama'? known: bloom, deepseek_v2, deepseek_v3, falcon, gemma, gemma2, gemma3_text, gpt2, "
      "gpt_neox, gpt_oss, kimi_k2, llama, mistral, mixtral, mpt, nemotron, olmo2, opt, phi3, "
      "qwen2, qwen2_moe, qwen3, qwen3_moe)"}},
    {"a family we do not have",
     "\"llama\"",
     "\"whisper\"",
     {"config.json:2:15: error: 'model_type' is 'whisper', which is not known (known: bloom, "
      "deepseek_v2, deepseek_v3, falcon, gemma, gemma2, gemma3_text, gpt2, gpt_neox, gpt_oss, "
      "kimi_k2, llama, mistral, mixtral, mpt, nemotron, olmo2, opt, phi3, qwen2, qwen2_moe, "
      "qwen3, qwen3_moe)"}},
    {"a flag that is none",
     "\"hidden_act\": \"silu\"",
     "\"tie_word_embeddings\": 1",
     {"config.json:9:24: error: 'tie_word_embeddings' must be true or false, but is '1'"}},
    {"a list for a number",
     "4096",
     "[4096]",
     {"config.json:3:16: error: 'hidden_size' must be a whole number, but is a list"}},
    {"an odd head with rotary positions",
     "\"hidden_act\": \"silu\"",
     "\"head_dim\": 127",
     {"config.json:9:13: error: rotary positions need an even width, but heads are 127 wide"}},
    {"three mistakes at once",
     "\"hidden_size\": 4096,\n\"num_hidden_layers\": 32,\n\"num_attention_heads\": 32",
     "\"hidden_size\": 0,\n\"num_attention_heads\": -4",
     {"config.json:3:16: error: 'hidden_size' is 0, must be at least 1",
      "config.json:1:1: error: 'num_hidden_layers' is missing",
      "config.json:4:24: error: 'num_attention_heads' is -4, must be at least 1"}},
    {"two mistakes of different kinds",
     "\"vocab_size\": 128256,\n\"hidden_act\": \"silu\"",
     "\"tie_word_embeddings\": \"no\"",
     {"config.json:1:1: error: 'vocab_size' is missing",
      "config.json:8:24: error: 'tie_word_embeddings' must be true or false, but is the text "
      "'no'"}},
};

TEST_CASE("mistakes in a configuration are told at their place") {
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(mistakes(replaced(llama, row.what, row.with)) == row.want);
  }
}

const std::string mixture = R"({
"model_type": "qwen3_moe",
"hidden_size": 2048, "num_hidden_layers": 4, "num_attention_heads": 32,
"num_key_value_heads": 4, "head_dim": 128, "vocab_size": 151936,
"intermediate_size": 6144, "moe_intermediate_size": 768,
"num_experts": 128, "num_experts_per_tok": 8,
"mlp_only_layers": []
})";

const Row mixture_rows[] = {
    {"more chosen than there are",
     "\"num_experts_per_tok\": 8",
     "\"num_experts_per_tok\": 200",
     {"config.json:6:44: error: 'num_experts_per_tok' is 200, but there are only 128 experts"}},
    {"no experts",
     "\"num_experts\": 128",
     "\"num_experts\": 0",
     {"config.json:6:16: error: 'num_experts' is 0, must be at least 1"}},
    {"a layer that is not there",
     "[]",
     "[1, 7]",
     {"config.json:7:20: error: 'mlp_only_layers' names layer 7, but layers are 0 to 3"}},
    {"too few layer types",
     "\"mlp_only_layers\": []",
     "\"layer_types\": [\"full_attention\"]",
     {"config.json:7:16: error: 'layer_types' lists 1 layers, but there are 4"}},
    {"a layer type we do not have",
     "\"mlp_only_layers\": []",
     "\"layer_types\": [\"full_attention\", \"full_attention\", \"linear_attention\", "
     "\"full_attention\"]",
     {"config.json:7:53: error: layer type 'linear_attention' is not known (known: "
      "full_attention, sliding_attention)"}},
    {"a model that nobody can build", "\"num_experts\": 128", "\"num_experts\": 65536", {}},
    {"products beyond 64 bits",
     "\"intermediate_size\": 6144, \"moe_intermediate_size\": 768,\n\"num_experts\": 128",
     "\"intermediate_size\": 6144, \"moe_intermediate_size\": 4000000,\n\"num_experts\": 65536",
     {}},
    {"products beyond what we count",
     "\"hidden_size\": 2048, \"num_hidden_layers\": 4",
     "\"hidden_size\": 4194304, \"num_hidden_layers\": 9999",
     {"config.json:1:1: error: the model has about 1.3e+16 parameters, more than 1e+16 (check "
      "its widths and its numbers of layers and experts)"}},
};

TEST_CASE("mistakes in a mixture are told at their place") {
  CHECK(mistakes(mixture).empty());
  for (const Row& row : mixture_rows) {
    INFO(row.name);
    CHECK(mistakes(replaced(mixture, row.what, row.with)) == row.want);
  }
}

TEST_CASE("other families say what they miss in their own words") {
  CHECK(mistakes(R"({"model_type": "gpt2", "n_embd": 768})") ==
        std::vector<std::string>{"config.json:1:1: error: 'n_layer' is missing",
                                 "config.json:1:1: error: 'n_head' is missing",
                                 "config.json:1:1: error: 'vocab_size' is missing",
                                 "config.json:1:1: error: 'n_positions' is missing"});
  CHECK(mistakes(R"({"model_type": "gpt2", "n_embd": 770, "n_layer": 2, "n_head": 12,
                     "n_positions": 0, "vocab_size": 10})") ==
        std::vector<std::string>{
            "config.json:2:37: error: 'n_positions' is 0, must be at least 1",
            "config.json:1:63: error: 'n_head' is 12, which does not divide 'n_embd' 770 (choose "
            "a divisor, or give 'head_dim')"});
  CHECK(mistakes(R"({"model_type": "opt", "hidden_size": 1024, "num_hidden_layers": 24,
"num_attention_heads": 16, "vocab_size": 50272, "ffn_dim": 4096,
"max_position_embeddings": 2048, "word_embed_proj_dim": 512})") ==
        std::vector<std::string>{"config.json:3:57: error: embeddings of another width than "
                                 "'hidden_size' are not supported"});
}

TEST_CASE("what is no configuration at all") {
  CHECK(mistakes("") ==
        std::vector<std::string>{"config.json: error: is empty (this should be JSON)"});
  CHECK(mistakes("[1]") ==
        std::vector<std::string>{"config.json:1:1: error: the file must be a map of keys, but is a "
                                 "list",
                                 "config.json:1:1: error: 'model_type' is missing"});
  CHECK(mistakes("{}") ==
        std::vector<std::string>{"config.json:1:1: error: 'model_type' is missing"});
  CHECK(mistakes("{\"model_type\": \"llama\", \"model_type\": \"gpt2\"}") ==
        std::vector<std::string>{"config.json:1:25: error: duplicate key 'model_type' (first "
                                 "given in line 1)"});
}

TEST_CASE("places are kept under our own names") {
  base::Origins origins;
  REQUIRE(read_hf_config(llama, "config.json", &origins));
  CHECK(origins.at("model.heads") == base::SourceRef{"config.json", 5, 24});
  CHECK(origins.at("model.kv_heads") == base::SourceRef{"config.json", 6, 24});
  CHECK(origins.at("model.norm") == base::SourceRef{"config.json", 1, 1});
}

}  // namespace
}  // namespace strategies
