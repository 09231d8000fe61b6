#include "calibrate/kernel_curves.hpp"

#include "tests/fuzz/fuzz.hpp"

void fuzz_one(std::string_view text) {
  if (const auto curves = calibrate::read_kernel_curves(text, "f.yaml"); !curves)
    fuzz::check_refusal(curves.error());
}
