#include "calibrate/store/calibration_json.hpp"

#include "tests/fuzz/fuzz.hpp"
#include "viz/calibration_json.hpp"

/// What is accepted is exported, and reads as the same.
void fuzz_one(std::string_view text) {
  const auto runs = calibrate::store::read_calibration_json(text, "f.json");
  if (!runs) return fuzz::check_refusal(runs.error());
  const auto again =
      calibrate::store::read_calibration_json(viz::calibration_json(*runs, {}), "f.json");
  CHECK_INVARIANT(again.has_value());
  CHECK_INVARIANT(*again == *runs);
}
