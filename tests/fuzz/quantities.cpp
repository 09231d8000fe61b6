#include <cmath>

#include "base/quantity.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

/// Printing keeps three digits or more, so reading the print gives the same within one percent.
template <class T, class Number, class Format, class Parse>
void check_round_trip(const base::Quantity<T>& quantity, Number number, Format format,
                      Parse parse) {
  if (!quantity) {
    CHECK_INVARIANT(!quantity.error().message.empty());
    return;
  }
  const double value = number(*quantity);
  CHECK_INVARIANT(std::isfinite(value) && value >= 0);
  const base::Quantity<T> again = parse(format(*quantity));
  CHECK_INVARIANT(again.has_value());
  CHECK_INVARIANT(std::fabs(number(*again) - value) <= 0.01 * value);
}

}  // namespace

void fuzz_one(std::string_view text) {
  check_round_trip(
      base::parse_bytes(text), [](base::Bytes b) { return b.as_double(); }, base::format_bytes,
      base::parse_bytes);
  check_round_trip(
      base::parse_seconds(text), [](base::Seconds s) { return s.s(); }, base::format_seconds,
      base::parse_seconds);
  for (const auto format : {base::format_gbit, base::format_gbyte})
    check_round_trip(
        base::parse_bytes_per_second(text), [](base::BytesPerSecond r) { return r.byte(); }, format,
        base::parse_bytes_per_second);
  if (const auto speed = base::parse_flop_per_second(text))
    CHECK_INVARIANT(std::isfinite(speed->flops()) && speed->flops() >= 0);
}
