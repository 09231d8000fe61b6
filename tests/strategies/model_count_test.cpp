#include <algorithm>
#include <filesystem>

#include "strategies/op_graph.hpp"
#include "tests/strategies/model_files.hpp"

namespace strategies {
namespace {

struct CountRow {
  const char* model;
  std::int64_t total;
  const char* published;
};

// "safetensors" is the total in the metadata that Hugging Face shows for the repository named.
const CountRow count_rows[] = {
    {"llama-2-7b", 6'738'415'616, "safetensors, meta-llama/Llama-2-7b-hf"},
    {"llama-2-13b", 13'015'864'320, "safetensors, meta-llama/Llama-2-13b-hf"},
    {"llama-2-70b", 68'976'648'192, "safetensors, meta-llama/Llama-2-70b-hf"},
    {"llama-3.1-8b", 8'030'261'248, "safetensors, meta-llama/Llama-3.1-8B"},
    {"llama-3.1-70b", 70'553'706'496, "safetensors, meta-llama/Llama-3.1-70B"},
    {"llama-3.1-405b", 405'853'388'800, "safetensors, meta-llama/Llama-3.1-405B"},
    {"mistral-7b", 7'241'732'096, "safetensors, mistralai/Mistral-7B-v0.1"},
    {"mixtral-8x7b", 46'702'792'704, "safetensors, mistralai/Mixtral-8x7B-v0.1"},
    {"mixtral-8x22b", 140'620'634'112, "safetensors, mistral-community/Mixtral-8x22B-v0.1"},
    {"qwen2-7b", 7'615'616'512, "safetensors, Qwen/Qwen2-7B"},
    {"qwen2.5-72b", 72'706'203'648, "safetensors, Qwen/Qwen2.5-72B"},
    {"qwen3-8b", 8'190'735'360, "safetensors, Qwen/Qwen3-8B"},
    {"qwen3-32b", 32'762'123'264, "safetensors, Qwen/Qwen3-32B"},
    {"qwen3-30b-a3b", 30'532'122'624, "safetensors, Qwen/Qwen3-30B-A3B"},
    {"qwen3-235b-a22b", 235'093'634'560, "safetensors, Qwen/Qwen3-235B-A22B"},
    {"qwen1.5-moe-a2.7b", 14'315'784'192, "safetensors, Qwen/Qwen1.5-MoE-A2.7B"},
    {"gpt2", 124'439'808, "parameters of GPT2LMHeadModel, openai-community/gpt2"},
    {"gpt2-xl", 1'557'611'200, "parameters of GPT2LMHeadModel, openai-community/gpt2-xl"},
    {"gpt-neox-20b", 20'554'567'680, "model card, EleutherAI/gpt-neox-20b"},
    {"gpt-oss-20b", 20'914'757'184, "safetensors, openai/gpt-oss-20b"},
    {"gpt-oss-120b", 116'829'156'672, "safetensors, openai/gpt-oss-120b"},
    {"deepseek-v2", 235'741'434'880, "safetensors, deepseek-ai/DeepSeek-V2"},
    {"deepseek-v2-lite", 15'706'484'224, "safetensors, deepseek-ai/DeepSeek-V2-Lite"},
    // README_WEIGHTS.md there: 671 B main model, 14 B more for the prediction layer.
    {"deepseek-v3", 671'026'419'200, "tensors of the main model, deepseek-ai/DeepSeek-V3"},
    {"kimi-k2", 1'026'408'232'448, "tensors of the main model, moonshotai/Kimi-K2-Instruct"},
    {"gemma-7b", 8'537'680'896, "safetensors, google/gemma-7b"},
    {"gemma-3-1b", 999'885'952, "safetensors, google/gemma-3-1b-pt"},
    {"gemma-2-9b", 9'241'705'984, "safetensors, google/gemma-2-9b"},
    {"phi-3-mini", 3'821'079'552, "safetensors, microsoft/Phi-3-mini-4k-instruct"},
    {"olmo-2-7b", 7'298'617'344, "safetensors, allenai/OLMo-2-1124-7B"},
    {"opt-6.7b", 6'658'473'984, "parameters of OPTForCausalLM, facebook/opt-6.7b"},
    {"bloom", 176'247'271'424, "model card, bigscience/bloom"},
    // The file holds the tied head once more: 7,217,189,760 - 65,024 x 4,544.
    {"falcon-7b", 6'921'720'704, "safetensors less the copied head, tiiuae/falcon-7b"},
    {"mpt-7b", 6'649'286'656, "parameters of MPTForCausalLM, mosaicml/mpt-7b"},
    // 96 x (12 x 12,288^2 + 13 x 12,288) + (51,200 + 2,048) x 12,288 + 2 x 12,288
    {"gpt3-175b.yaml", 174'615'846'912, "174.6 billion, arXiv 2104.04473, table 1"},
};

TEST_CASE("counts equal what is published") {
  for (const CountRow& row : count_rows) {
    INFO(row.model << ": " << row.published);
    CHECK(count_parameters(shipped_model(row.model)).total() == row.total);
  }
}

// arXiv 2406.11704: "9.4 billion embedding parameters and 331.6 billion non-embedding parameters".
TEST_CASE("Nemotron-4 340B is as large as its report says") {
  const ParameterCount count = count_parameters(shipped_model("nemotron-4-340b"));
  CHECK(static_cast<double>(count.embedding + count.head) * 1e-9 == Approx(9.4).margin(0.05));
  CHECK(static_cast<double>(count.total() - count.embedding - count.head) * 1e-9 ==
        Approx(331.6).margin(0.05));
}

TEST_CASE("active parameters are what papers and cards round") {
  const auto active = [](const char* model) {
    return static_cast<double>(count_parameters(shipped_model(model)).active) * 1e-9;
  };
  CHECK(active("mixtral-8x7b") == Approx(12.88).epsilon(0.001));      // 13 B, arXiv 2401.04088
  CHECK(active("mixtral-8x22b") == Approx(39.15).epsilon(0.001));     // 39 B, release notes
  CHECK(active("deepseek-v2") == Approx(21.38).epsilon(0.001));       // 21 B, arXiv 2405.04434
  CHECK(active("deepseek-v3") == Approx(37.55).epsilon(0.001));       // 37 B, arXiv 2412.19437
  CHECK(active("qwen3-30b-a3b") == Approx(3.35).epsilon(0.001));      // 3.3 B, model card
  CHECK(active("qwen3-235b-a22b") == Approx(22.19).epsilon(0.001));   // 22 B, model card
  CHECK(active("qwen1.5-moe-a2.7b") == Approx(2.69).epsilon(0.001));  // 2.7 B, model card
  // OpenAI's card leaves the input embedding out: 5.13 B and 3.61 B.
  const double embedding = 201'088 * 2'880 * 1e-9;
  CHECK(active("gpt-oss-120b") - embedding == Approx(5.13).epsilon(0.001));
  CHECK(active("gpt-oss-20b") - embedding == Approx(3.61).epsilon(0.001));
  CHECK(active("llama-2-7b") == Approx(6.738415616));  // dense: all of them
}

// Two ways to the same number: the closed forms of count_parameters and the operators one by one.
TEST_CASE("the operators of every shipped model own every parameter once") {
  int models = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(FORESHARD_SOURCE_DIR "/scenarios/models")) {
    const ModelSpec model = shipped_model(entry.path().filename().string());
    const OpGraph graph = build_ops(model, {.batch = 1, .seq = 64});
    const auto parameters = [&](int block) {
      std::int64_t sum = 0;
      for (const Op& op : graph.blocks[static_cast<std::size_t>(block)].ops) sum += op.parameters;
      return sum;
    };
    std::int64_t sum = parameters(graph.embedding_block) + parameters(graph.head_block);
    for (const int block : graph.layer_block) sum += parameters(block);
    INFO(entry.path());
    CHECK(sum == count_parameters(model).total());
    ++models;
  }
  CHECK(models >= 30);
}

TEST_CASE("a configuration tells the layers apart") {
  const ModelSpec oss = shipped_model("gpt-oss-120b");
  CHECK(oss.layers[0] == LayerKind{true, 128});
  CHECK(oss.layers[1] == LayerKind{true, 0});
  const ModelSpec deepseek = shipped_model("deepseek-v3");
  CHECK_FALSE(deepseek.layers[2].mixture);
  CHECK(deepseek.layers[3].mixture);
  CHECK(deepseek.head_dim == 192);
  const ModelSpec gemma = shipped_model("gemma-2-9b");
  CHECK(gemma.layers[0].window == 4096);
  CHECK(gemma.layers[1].window == 0);
  const ModelSpec mistral = shipped_model("mistral-7b");
  CHECK(mistral.layers[31].window == 4096);
  const ModelSpec qwen = shipped_model("qwen2-7b");  // use_sliding_window: false
  CHECK(qwen.layers[0].window == 0);
  CHECK(shipped_model("llama-3.1-8b").name == "llama-3.1-8b");  // of its folder
  CHECK(shipped_model("falcon-40b").kv_heads == 8);
  CHECK(shipped_model("falcon-7b").norms_per_layer == 1);
}

}  // namespace
}  // namespace strategies
