#include "viz/digits.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/quantity.hpp"

namespace viz {

std::string three_digits(double value) {
  const double size = std::fabs(value);
  return fmt::format("{:.{}f}", value, size >= 100 ? 0 : size >= 10 ? 1 : 2);
}

std::string time_text(base::Seconds time) {
  const double s = std::fabs(time.s());
  if (s >= 1) return three_digits(time.s()) + " s";
  if (s >= 1e-3) return three_digits(time.ms()) + " ms";
  return three_digits(time.us()) + " us";
}

std::string used_of_capacity(base::Bytes used, base::Bytes capacity) {
  if (capacity < base::Bytes::from_gib(1))
    return fmt::format("{} of {}", base::format_bytes(used), base::format_bytes(capacity));
  return fmt::format("{} of {} GiB", three_digits(used.gib()), three_digits(capacity.gib()));
}

}  // namespace viz
