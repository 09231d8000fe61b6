// Profiles of frameworks: whose rows they are, and mistakes in them.

#include <filesystem>
#include <fstream>

#include "sim/training/framework.hpp"
#include "tests/support/catch.hpp"

namespace sim::training {
namespace {

const std::string folder = std::string(FORESHARD_SOURCE_DIR) + "/scenarios/frameworks";

TEST_CASE("a row belongs to the profile that says most of it") {
  const auto frameworks = Frameworks::read(folder);
  REQUIRE(frameworks);
  const auto name = [&](const char* framework, const char* source) {
    Row row;
    row.framework = framework;
    row.source = source;
    return frameworks->of(row).name;
  };
  CHECK(name("Megatron-LM", "arXiv 2104.04473") == "megatron-2021");
  CHECK(name("Megatron-LM fork", "arXiv 2401.10241") == "megatron-2021");
  CHECK(name("Megatron-LM", "README, Megatron-Core r0.8.0") == "megatron");
  CHECK(name("NeMo 24.07", "") == "megatron");
  CHECK(name("Megatron-DeepSpeed", "") == "megatron-deepspeed");
  CHECK(name("nanotron", "") == "nanotron");
  CHECK(name("something else", "Megatron-Core").empty());
}

TEST_CASE("a profile is a preset and what its published rows mean") {
  const auto frameworks = Frameworks::read(folder);
  REQUIRE(frameworks);
  Row row;
  row.framework = "nanotron";
  const Framework& nanotron = frameworks->of(row);
  CHECK(nanotron.padding == VocabularyPadding::tensor);
  CHECK(nanotron.stages_by_cost);
  CHECK(nanotron.peak == PrintedPeak::rank_0_after_backward);
  CHECK(nanotron.tensor_overlap == strategies::TensorOverlap::own_part);
  CHECK_FALSE(nanotron.plan.execution.fused_accumulation);
  CHECK_FALSE(nanotron.plan.overlap.gradient_reduce);
  CHECK(nanotron.reduces_early_without_zero);
  CHECK(nanotron.plan.attention_kernels == "flash-attention-2");
}

TEST_CASE("mistakes in profiles are told at their places, of all files") {
  const std::filesystem::path made = std::filesystem::temp_directory_path() / "foreshard-profiles";
  std::filesystem::remove_all(made);
  std::filesystem::create_directories(made);
  std::ofstream(made / "a.yaml") << "plan: {zerro: 1}\n";
  std::ofstream(made / "b.yaml") << "plan: {}\npublished_rows: {from: [{}], stages: odd}\n";
  std::ofstream(made / "c.yaml") << "plan: {schedule: table, schedule_file: s.yml}\n"
                                    "published_rows: {from: [{framework: c}]}\n";
  const auto frameworks = Frameworks::read(made.string());
  REQUIRE_FALSE(frameworks);
  std::string text;
  for (const base::Diagnostic& one : frameworks.error())
    text += one.format().substr(made.string().size() + 1) + "\n";
  CHECK(text ==
        "a.yaml:1:8: error: unknown key 'zerro' (did you mean 'zero'?)\n"
        "b.yaml:2:25: error: 'published_rows.from.0.framework' is missing\n"
        "b.yaml:2:38: error: 'stages' is 'odd', must be one of equal, by_cost\n"
        "c.yaml:1:40: error: published rows do not bring the file of their schedule (name a "
        "schedule, or leave out published_rows)\n");
  std::filesystem::remove_all(made);
  CHECK_FALSE(Frameworks::read(made.string()));
}

}  // namespace
}  // namespace sim::training
