#include "strategies/model.hpp"
#include "tests/fuzz/fuzz.hpp"

void fuzz_one(std::string_view text) {
  base::Origins origins;
  const auto model = strategies::read_hf_config(text, "f.json", &origins);
  if (!model) return fuzz::check_refusal(model.error());
  CHECK_INVARIANT(model->layer_count() >= 1);
  CHECK_INVARIANT(strategies::count_parameters(*model).total() > 0);
}
