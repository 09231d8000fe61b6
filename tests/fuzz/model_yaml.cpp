#include "strategies/model.hpp"
#include "tests/fuzz/fuzz.hpp"

void fuzz_one(std::string_view text) {
  const auto document = base::parse_yaml(text, "f.yaml");
  if (!document) return fuzz::check_refusal(document.error());
  const auto model = strategies::read_model(*document, document->root, "model");
  if (!model) return fuzz::check_refusal(model.error());
  CHECK_INVARIANT(model->layer_count() >= 1);
  CHECK_INVARIANT(strategies::count_parameters(*model).total() > 0);
}
