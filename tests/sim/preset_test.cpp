#include "sim/preset.hpp"

#include "sim/scenario.hpp"
#include "tests/support/catch.hpp"

namespace sim {
namespace {

const std::string scenarios = std::string(FORESHARD_SOURCE_DIR) + "/scenarios/";
const std::string folder = scenarios + "frameworks";

base::Document read(const char* text) { return *base::parse_yaml(text, "s.yaml"); }

TEST_CASE("a preset fills in what the plan leaves open, in maps too") {
  base::Document document = read(
      "plan:\n  preset: scaletorch\n  loss: vocabulary_parallel\n  context: {expand_kv: false}\n");
  CHECK(apply_preset(document, folder).empty());
  const base::Node& plan = *document.root.find("plan");
  CHECK(plan.find("preset") == nullptr);
  CHECK(plan.find("loss")->text == "vocabulary_parallel");
  CHECK(plan.find("tensor_backward")->text == "per_linear");
  CHECK(plan.find("context")->find("expand_kv")->text == "false");
  CHECK(plan.find("context")->find("attention")->text == "ring");
  // Words of the preset stand in its own file.
  CHECK(document.where(*plan.find("tensor_backward")).file == folder + "/scaletorch.yaml");
  CHECK(document.where(*plan.find("loss")).file == "s.yaml");
}

TEST_CASE("operators of a preset's recompute do not outlive another recompute") {
  base::Document document = read("plan:\n  preset: torchtitan\n  recompute: full\n");
  CHECK(apply_preset(document, folder).empty());
  CHECK(document.root.find("plan")->find("recompute_operators") == nullptr);
  document = read("plan: {preset: torchtitan}\n");
  CHECK(apply_preset(document, folder).empty());
  CHECK(document.root.find("plan")->find("recompute_operators") != nullptr);
}

TEST_CASE("presets that there are not") {
  for (const char* name : {"megatorn", "../hardware/gpus/a10g", "\"\""}) {
    base::Document document = read(("plan: {preset: " + std::string(name) + "}\n").c_str());
    const base::Diagnostics problems = apply_preset(document, folder);
    REQUIRE(problems.size() == 1);
    CHECK_THAT(problems[0].format(), Catch::StartsWith("s.yaml:1:16: error: unknown preset '"));
  }
  base::Document document = read("plan: {preset: megatorn}\n");
  CHECK(apply_preset(document, folder)[0].hint == "did you mean 'megatron'?");
  base::Document none = read("plan: {zero: 1}\n");
  CHECK(apply_preset(none, folder).empty());
}

TEST_CASE("a preset that there is not hides no other mistake") {
  const auto scenario = load_scenario({.path = scenarios + "strategies/data-zero-1.yaml",
                                       .set = {{"plan.preset", "megatorn"}, {"plan.zerro", "1"}},
                                       .hardware_folder = scenarios + "hardware"});
  REQUIRE_FALSE(scenario);
  REQUIRE(scenario.error().size() == 2);
  CHECK(scenario.error()[0].message == "unknown preset 'megatorn'");
  CHECK(scenario.error()[1].message == "unknown key 'zerro'");
}

TEST_CASE("every preset runs a dense model and a mixture") {
  for (const char* name :
       {"megatron", "megatron-2021", "megatron-deepspeed", "deepspeed", "torchtitan", "llm-foundry",
        "nanotron", "internevo", "scaletorch", "paxml"})
    for (const char* model : {"llama-3.1-8b", "mixtral-8x7b"}) {
      INFO(name << " " << model);
      const auto scenario = load_scenario(
          {.path = scenarios + "strategies/data-zero-1.yaml",
           .set = {{"plan", "{tensor_parallel: 2, global_batch: 64, sequence: 4096}"},
                   {"plan.preset", name},
                   {"model.config", "../models/" + std::string(model) + "/config.json"}},
           .hardware_folder = scenarios + "hardware"});
      if (!scenario)
        for (const base::Diagnostic& problem : scenario.error()) UNSCOPED_INFO(problem.format());
      REQUIRE(scenario);
      // These have queries, keys and values in matrices of their own.
      CHECK(scenario->plan.fused_projections !=
            (std::string_view(name) == "scaletorch" || std::string_view(name) == "torchtitan"));
    }
}

}  // namespace
}  // namespace sim
