#include "calibrate/nccl/measured_ramp.hpp"
#include "tests/fuzz/fuzz.hpp"

void fuzz_one(std::string_view text) {
  if (const auto ramps = calibrate::nccl::read_ramps(text, "f.yaml"); !ramps)
    fuzz::check_refusal(ramps.error());
}
