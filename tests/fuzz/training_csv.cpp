#include "sim/training/setting.hpp"
#include "tests/fuzz/fuzz.hpp"
#include "tests/fuzz/registry.hpp"

/// Whatever a table says, a row is expressed, with a plan that holds, or its reason is told.
void fuzz_one(std::string_view text) {
  const auto table = base::parse_csv(text, "f.csv");
  if (!table) return fuzz::check_refusal(table.error());
  const auto rows = sim::training::read_rows(*table);
  if (!rows) return fuzz::check_refusal(rows.error());
  static const auto frameworks =
      sim::training::Frameworks::read(std::string(FORESHARD_SOURCE_DIR) + "/scenarios/frameworks");
  CHECK_INVARIANT(frameworks.has_value());
  for (const sim::training::Row& row : *rows) {
    const auto setting = sim::training::setting_of(row, *frameworks, *fuzz::shipped_registry());
    if (!setting) {
      CHECK_INVARIANT(!setting.error().empty());
      continue;
    }
    const strategies::Plan& plan = setting->plan;
    CHECK_INVARIANT(plan.ranks() == *row.gpus);
    CHECK_INVARIANT(setting->machine.nodes * setting->machine.gpus_per_node == *row.gpus);
    CHECK_INVARIANT(strategies::count_parameters(setting->model).total() > 0);
  }
}
