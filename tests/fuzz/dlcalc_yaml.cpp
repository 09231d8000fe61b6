#include "strategies/dlcalc.hpp"
#include "tests/fuzz/fuzz.hpp"

void fuzz_one(std::string_view text) {
  const auto document = base::parse_yaml(text, "f.yaml");
  if (!document) return fuzz::check_refusal(document.error());
  const bool likely = strategies::looks_like_dlcalc(*document);
  const auto input = strategies::read_dlcalc(*document);
  if (!input) return fuzz::check_refusal(input.error());
  CHECK_INVARIANT(likely);
  CHECK_INVARIANT(input->gpus >= 1);
  fuzz::check(input->notes);
}
