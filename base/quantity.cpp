#include "base/quantity.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <charconv>
#include <cmath>
#include <limits>
#include <span>
#include <utility>
#include <vector>

namespace base {

namespace {

using Unit = std::pair<std::string_view, double>;

constexpr std::array<Unit, 9> byte_units{{{"B", 1.0},
                                          {"kB", 1e3},
                                          {"MB", 1e6},
                                          {"GB", 1e9},
                                          {"TB", 1e12},
                                          {"KiB", 1024.0},
                                          {"MiB", 1048576.0},
                                          {"GiB", 1073741824.0},
                                          {"TiB", 1099511627776.0}}};
constexpr std::array<Unit, 12> rate_units{{{"Gbit/s", 1e9 / 8},
                                           {"Mbit/s", 1e6 / 8},
                                           {"Tbit/s", 1e12 / 8},
                                           {"kbit/s", 1e3 / 8},
                                           {"GB/s", 1e9},
                                           {"MB/s", 1e6},
                                           {"kB/s", 1e3},
                                           {"TB/s", 1e12},
                                           {"GiB/s", 1073741824.0},
                                           {"MiB/s", 1048576.0},
                                           {"TiB/s", 1099511627776.0},
                                           {"B/s", 1.0}}};
constexpr std::array<Unit, 6> time_units{
    {{"us", 1e-6}, {"ms", 1e-3}, {"s", 1.0}, {"ns", 1e-9}, {"min", 60.0}, {"h", 3600.0}}};
constexpr std::array<Unit, 3> flop_units{{{"TFLOP/s", 1e12}, {"PFLOP/s", 1e15}, {"GFLOP/s", 1e9}}};

/// What is neither 0 nor within these, in the base unit, is a slip of the pen: it would only make
/// durations that cannot be added to others.
struct Limits {
  double least = 0;
  double most = std::numeric_limits<double>::max();
};
constexpr Limits rate_limits{1, 1e18};    // B/s
constexpr Limits time_limits{0, 1e9};     // s, 30 years
constexpr Limits flop_limits{1e6, 1e24};  // FLOP/s

std::string names_of(std::span<const Unit> units) {
  std::vector<std::string_view> names;
  for (const Unit& unit : units) names.push_back(unit.first);
  return fmt::format("{}", fmt::join(names, ", "));
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

Quantity<double> parse(std::string_view text, std::span<const Unit> units, std::string_view example,
                       Limits limits = {}) {
  const std::string_view whole = trim(text);
  double number = 0;
  const auto [end, error] = std::from_chars(whole.data(), whole.data() + whole.size(), number);
  if (error == std::errc::result_out_of_range)
    return tl::unexpected(QuantityError{fmt::format("is out of range: '{}'", whole), ""});
  if (error != std::errc() || !std::isfinite(number))
    return tl::unexpected(QuantityError{fmt::format("is not a number with a unit: '{}'", whole),
                                        fmt::format("for example {}", example)});
  if (number < 0) return tl::unexpected(QuantityError{fmt::format("is negative: '{}'", whole), ""});
  const std::string_view unit = trim(whole.substr(static_cast<std::size_t>(end - whole.data())));
  if (unit.empty())
    return tl::unexpected(QuantityError{fmt::format("has no unit: '{}'", whole),
                                        fmt::format("for example {}", example)});
  for (const auto& [name, factor] : units) {
    if (name != unit) continue;
    const double value = number * factor;
    if (value == 0) return 0.0;  // -0 is 0
    if (value >= limits.least && value <= limits.most) return value;
    return tl::unexpected(QuantityError{fmt::format("is out of range: '{}'", whole), ""});
  }
  return tl::unexpected(QuantityError{fmt::format("has the unknown unit '{}'", unit),
                                      fmt::format("one of {}", names_of(units))});
}

/// Three digits that matter; the limits are where rounding would make a fourth.
std::string scaled(double value, double base, std::span<const std::string_view> units) {
  std::size_t step = 0;
  while (std::fabs(value) >= base - 0.5 && step + 1 < units.size()) {
    value /= base;
    ++step;
  }
  const double size = std::fabs(value);
  const bool whole = step == 0 && value == std::floor(value);
  const int digits = whole || size >= 99.95 ? 0 : size >= 9.995 ? 1 : 2;
  return fmt::format("{:.{}f}{}{}", value, digits, units[step].empty() ? "" : " ", units[step]);
}

/// So many digits and no zeros at the end, but never an exponent for a large number.
std::string short_number(double value, int digits) {
  const bool large = std::fabs(value) >= std::pow(10.0, digits) - 0.5;
  return large ? fmt::format("{:.0f}", value) : fmt::format("{:.{}g}", value, digits);
}

}  // namespace

Quantity<Bytes> parse_bytes(std::string_view text) {
  const Quantity<double> count = parse(text, byte_units, "80 GiB");
  if (!count) return tl::unexpected(count.error());
  if (*count > 9e18)
    return tl::unexpected(QuantityError{fmt::format("is out of range: '{}'", text), ""});
  return Bytes::from_double(*count);
}

Quantity<BytesPerSecond> parse_bytes_per_second(std::string_view text) {
  return parse(text, rate_units, "400 Gbit/s or 450 GB/s", rate_limits)
      .map(BytesPerSecond::from_byte);
}

Quantity<Seconds> parse_seconds(std::string_view text) {
  return parse(text, time_units, "5 us", time_limits).map(Seconds::from_s);
}

Quantity<FlopPerSecond> parse_flop_per_second(std::string_view text) {
  return parse(text, flop_units, "989 TFLOP/s", flop_limits).map([](double v) {
    return FlopPerSecond::from_tflops(v * 1e-12);
  });
}

std::string format_bytes(Bytes bytes) {
  constexpr std::array<std::string_view, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
  return scaled(bytes.as_double(), 1024.0, units);
}

std::string format_seconds(Seconds time) {
  const double s = std::fabs(time.s());
  if (s >= 0.9995 || s == 0) return short_number(time.s(), 3) + " s";
  if (s >= 0.9995e-3) return short_number(time.ms(), 3) + " ms";
  return short_number(time.us(), 3) + " us";
}

std::string format_gbit(BytesPerSecond rate) { return short_number(rate.gbit(), 4) + " Gbit/s"; }

std::string format_gbyte(BytesPerSecond rate) { return short_number(rate.gbyte(), 4) + " GB/s"; }

std::string format_count(double count) {
  constexpr std::array<std::string_view, 5> units{"", "k", "M", "B", "T"};
  return scaled(count, 1000.0, units);
}

}  // namespace base
