// Names of tensors: what a family lists adds up to the parameters that are counted elsewhere.

#include "strategies/checkpoint_file/model_tensors.hpp"

#include <set>
#include <string>

#include "tests/strategies/model_files.hpp"
#include "tests/support/catch.hpp"

namespace strategies::checkpoint_file {
namespace {

TEST_CASE("the tensors of a model have as many elements as it has parameters") {
  const std::string name = GENERATE(
      "llama-2-7b", "llama-3.1-8b", "llama-3.1-405b", "mistral-7b", "mixtral-8x7b", "mixtral-8x22b",
      "qwen2-7b", "qwen2.5-72b", "qwen3-8b", "qwen3-32b", "qwen3-30b-a3b", "qwen3-235b-a22b",
      "qwen1.5-moe-a2.7b", "gemma-7b", "gemma-2-9b", "gemma-3-1b", "olmo-2-7b", "phi-3-mini",
      "nemotron-4-340b", "deepseek-v2", "deepseek-v2-lite", "deepseek-v3", "kimi-k2", "gpt-oss-20b",
      "gpt-oss-120b", "gpt2", "gpt2-xl", "gpt-neox-20b");
  const ModelSpec model = shipped_model(name);
  int fitting = 0;
  for (const Naming& naming : namings()) {
    if (!naming.fits(model)) continue;
    ++fitting;
    std::int64_t elements = 0;
    std::set<std::string> names;
    for (const ModelTensor& tensor : naming.tensors(model)) {
      if (!tensor.optional) elements += elements_of(tensor.shape).value();
      CHECK(names.insert(tensor.name).second);
    }
    INFO(name << " as " << naming.name);
    CHECK(elements == count_parameters(model).total());
  }
  INFO(name);
  CHECK(fitting >= 1);
}

TEST_CASE("models whose names are not known fit no family") {
  const std::string name = GENERATE("bloom", "falcon-7b", "mpt-7b", "opt-6.7b");
  const ModelSpec model = shipped_model(name);
  for (const Naming& naming : namings()) {
    INFO(name << " as " << naming.name);
    CHECK_FALSE(naming.fits(model));
  }
}

}  // namespace
}  // namespace strategies::checkpoint_file
