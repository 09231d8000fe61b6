#include <cmath>

#include "calibrate/validate_kernels.hpp"
#include "tests/fuzz/fuzz.hpp"

void fuzz_one(std::string_view text) {
  const auto table = base::parse_csv(text, "f.csv");
  if (!table) return fuzz::check_refusal(table.error());
  const auto rows = calibrate::read_kernel_rows(*table);
  if (!rows) return fuzz::check_refusal(rows.error());
  for (const calibrate::KernelRow& row : *rows)
    for (const base::Kernel& kernel : calibrate::kernels_of(row).kernels)
      CHECK_INVARIANT(base::flop_of(kernel).count() >= 0 && base::bytes_of(kernel).count() >= 0);
}
