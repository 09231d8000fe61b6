#include <string>
#include <utility>
#include <vector>

#include "sim/scenario.hpp"
#include "sim/schedule/play.hpp"
#include "sim/training/framework.hpp"
#include "sim/training/setting.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/registry.hpp"
#include "tests/fuzz/workplace.hpp"

namespace {

constexpr std::string_view scenario_text = R"(
model: {layers: 4, hidden: 256, ffn: 1024, heads: 4, vocab: 512}
cluster: {nodes: {type: dgx-h100, count: 2}}
plan:
  preset: profile
  tensor_parallel: 2
  pipeline_parallel: 2
  micro_batch: 1
  global_batch: 32
  sequence: 128
communication: {backend: gloo}
)";

/// Published steps, dense and with experts, with and without a pipeline.
std::vector<sim::training::Row> rows() {
  const std::string corpus = std::string(FORESHARD_SOURCE_DIR) + "/tests/fuzz/corpus/training_csv/";
  std::vector<sim::training::Row> all;
  for (const char* file : {"gpt.csv", "mixture.csv"}) {
    const auto text = base::read_file(corpus + file);
    CHECK_INVARIANT(text.has_value());
    const auto table = base::parse_csv(*text, file);
    CHECK_INVARIANT(table.has_value());
    const auto read = sim::training::read_rows(*table);
    CHECK_INVARIANT(read.has_value());
    for (const int stages : {1, 2}) {
      sim::training::Row row = read->front();
      row.framework = "Megatron-LM";
      row.source = "Megatron-Core";
      row.pipeline = stages;
      row.data.reset();
      all.push_back(std::move(row));
    }
  }
  return all;
}

void check_schedule(const strategies::Plan& plan) {
  CHECK_INVARIANT(sim::schedule::check(sim::schedule::table_of(plan)).empty());
}

/// As a preset, of which only the plan is read.
void check_preset(const fuzz::Workplace& workplace) {
  const auto scenario = workplace.load();
  if (!scenario) return fuzz::check_refusal(scenario.error());
  fuzz::check(scenario->notes);
  CHECK_INVARIANT(scenario->plan.tensor == 2 && scenario->plan.pipeline == 2);
  check_schedule(scenario->plan);
}

}  // namespace

/// Whatever a profile says, it is refused, or each row and scenario has a plan that holds, or is
/// told why it has none.
void fuzz_one(std::string_view text) {
  static const fuzz::Workplace workplace;
  static const std::vector<sim::training::Row> published = rows();
  workplace.write(workplace.scenario(), scenario_text);
  workplace.write(workplace.frameworks() + "/profile.yaml", text);
  check_preset(workplace);
  const auto frameworks = sim::training::Frameworks::read(workplace.frameworks());
  if (!frameworks) return fuzz::check_refusal(frameworks.error());
  for (const sim::training::Row& row : published) {
    const auto setting = sim::training::setting_of(row, *frameworks, *fuzz::shipped_registry());
    if (!setting) {
      CHECK_INVARIANT(!setting.error().empty());
      continue;
    }
    CHECK_INVARIANT(setting->plan.ranks() == *row.gpus);
    check_schedule(setting->plan);
  }
}
