#include "tests/strategies/model_files.hpp"

namespace strategies {
namespace {

const std::string gpt = R"(name: GPT
layers: 4
hidden: 1024
ffn: 4096
heads: 16
vocab: 51200
gated: false
norm: layer
)";

base::Result<ModelSpec> read(const std::string& yaml, base::Origins* origins = nullptr) {
  const base::Result<base::Document> document = base::parse_yaml(yaml, "m.yaml");
  REQUIRE(document);
  return read_model(*document, document->root, "model", origins);
}

std::vector<std::string> mistakes(const std::string& yaml) {
  std::vector<std::string> lines;
  const base::Result<ModelSpec> model = read(yaml);
  if (!model)
    for (const base::Diagnostic& problem : model.error()) lines.push_back(problem.format());
  return lines;
}

TEST_CASE("defaults follow from what is written") {
  const base::Result<ModelSpec> model = read(gpt);
  REQUIRE(model);
  CHECK(model->kv_heads == 16);
  CHECK(model->head_dim == 64);
  CHECK(model->layer_count() == 4);
  CHECK(model->layers[0] == LayerKind{});
  CHECK(model->norm == Norm::layer);
  CHECK_FALSE(model->tied_embeddings);
}

TEST_CASE("a mixture says which layers it takes, a window which layers it spares") {
  const base::Result<ModelSpec> model = read(gpt + R"(mixture:
  {experts: 8, experts_per_token: 2, expert_ffn: 512, shared_experts: 2, first_dense: 1, every: 2}
window: 256
full_attention_every: 3
)");
  REQUIRE(model);
  CHECK(model->mixture->shared_ffn == 1024);  // two of 512
  const std::vector<LayerKind> want{{false, 256}, {true, 256}, {false, 0}, {true, 256}};
  CHECK(model->layers == want);
}

TEST_CASE("latent attention gives the width of a head") {
  const base::Result<ModelSpec> model = read(gpt + R"(latent:
  {q_rank: 64, kv_rank: 32, rope_head_dim: 16, nope_head_dim: 32, value_head_dim: 32}
)");
  REQUIRE(model);
  CHECK(model->head_dim == 48);
}

struct Row {
  const char* name;
  std::string yaml;
  std::vector<std::string> want;
};

const Row rows[] = {
    {"an unknown key",
     gpt + "hidden_size: 1024\n",
     {"m.yaml:9:1: error: unknown key 'hidden_size' (known: name, layers, hidden, heads, kv_heads, "
      "head_dim, vocab, tied_embeddings, gated, activation, position, positions, ...)"}},
    {"a key with a slip",
     gpt + "kvheads: 4\n",
     {"m.yaml:9:1: error: unknown key 'kvheads' (did you mean 'kv_heads'?)"}},
    {"nothing",
     "{}\n",
     {"m.yaml:1:1: error: 'model.layers' is missing",
      "m.yaml:1:1: error: 'model.hidden' is missing", "m.yaml:1:1: error: 'model.heads' is missing",
      "m.yaml:1:1: error: 'model.vocab' is missing"}},
    {"no MLP width for dense layers",
     "{layers: 2, hidden: 64, heads: 2, vocab: 10}\n",
     {"m.yaml:1:1: error: 'model.ffn' is missing"}},
    {"a list",
     "[1]\n",
     {"m.yaml:1:1: error: 'model' must be a map of keys, but is a list",
      "m.yaml:1:1: error: 'model.layers' is missing",
      "m.yaml:1:1: error: 'model.hidden' is missing", "m.yaml:1:1: error: 'model.heads' is missing",
      "m.yaml:1:1: error: 'model.vocab' is missing"}},
    {"an octal number",
     "layers: 010\nhidden: 64\nffn: 64\nheads: 2\nvocab: 10\n",
     {"m.yaml:1:9: error: 'layers' looks octal: 010 (write 10)"}},
    {"heads that do not divide",
     "layers: 1\nhidden: 100\nffn: 64\nheads: 3\nvocab: 10\n",
     {"m.yaml:4:8: error: 'heads' is 3, which does not divide 'hidden' 100 (choose a divisor, or "
      "give 'head_dim')"}},
    {"an activation with a slip",
     gpt + "activation: glu\n",
     {"m.yaml:9:13: error: 'activation' is 'glu', must be one of gelu, silu, relu, "
      "relu_squared (did you mean 'gelu'?)"}},
    {"learned positions without a table",
     gpt + "position: learned\n",
     {"m.yaml:1:1: error: 'model.positions' is missing"}},
    {"a mixture that is unfinished",
     gpt + "mixture: {experts: 8, topk: 2}\n",
     {"m.yaml:9:10: error: 'model.mixture.experts_per_token' is missing",
      "m.yaml:9:10: error: 'model.mixture.expert_ffn' is missing",
      "m.yaml:9:23: error: unknown key 'topk' (known: experts, experts_per_token, expert_ffn, "
      "shared_experts, shared_ffn, shared_gate, router_bias, expert_bias, capacity_factor, "
      "first_dense, every)"}},
    {"more chosen than there are",
     gpt + "mixture:\n  experts: 4\n  experts_per_token: 5\n  expert_ffn: 64\n",
     {"m.yaml:11:22: error: 'experts_per_token' is 5, but there are only 4 experts"}},
    {"latent heads of two widths",
     gpt + "head_dim: 64\n"
           "latent: {kv_rank: 32, rope_head_dim: 16, nope_head_dim: 32, value_head_dim: 32}\n",
     {"m.yaml:9:11: error: 'head_dim' is 64, but the latent heads are 48 wide (leave it out)"}},
    {"a dropout that is none",
     gpt + "dropout: 1.5\n",
     {"m.yaml:9:10: error: 'dropout' is 1.5, must be at most 1"}},
    {"too many norms",
     gpt + "norms_per_layer: 9\n",
     {"m.yaml:9:18: error: 'norms_per_layer' is 9, must be at most 4"}},
};

TEST_CASE("mistakes in a model map are told at their place") {
  for (const Row& row : rows) {
    INFO(row.name);
    CHECK(mistakes(row.yaml) == row.want);
  }
}

TEST_CASE("the places of a model map are kept") {
  base::Origins origins;
  REQUIRE(read(gpt, &origins));
  CHECK(origins.at("model.heads") == base::SourceRef{"m.yaml", 5, 8});
}

}  // namespace
}  // namespace strategies
