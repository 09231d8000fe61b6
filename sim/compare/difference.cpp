#include "sim/compare/difference.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <numeric>
#include <utility>

namespace sim::compare {

namespace {

struct Unit {
  double seconds;
  std::string_view name;
  int digits;  ///< behind the point
};

/// The finest in which the amount has at most four digits.
Unit unit_for(double seconds) {
  constexpr std::array<Unit, 7> units{{{1e-6, "us", 0},
                                       {1e-5, "ms", 2},
                                       {1e-4, "ms", 1},
                                       {1e-3, "ms", 0},
                                       {1e-2, "s", 2},
                                       {1e-1, "s", 1},
                                       {1, "s", 0}}};
  for (const Unit& unit : units)
    if (seconds < 1000 * unit.seconds) return unit;
  return units.back();
}

/// Whole multiples of `unit` whose sum is the rounded sum of `amounts`: those that lose most by
/// being rounded down are rounded up (largest remainders).
std::vector<std::int64_t> rounded(const std::vector<double>& amounts, double unit) {
  std::vector<std::int64_t> whole;
  std::vector<double> lost;
  for (const double amount : amounts) {
    whole.push_back(static_cast<std::int64_t>(std::floor(amount / unit)));
    lost.push_back(amount / unit - std::floor(amount / unit));
  }
  const double sum = std::accumulate(amounts.begin(), amounts.end(), 0.0);
  std::int64_t missing =
      std::llround(sum / unit) - std::accumulate(whole.begin(), whole.end(), std::int64_t{0});
  std::vector<std::size_t> order(amounts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return lost[a] > lost[b]; });
  for (std::size_t i = 0; i < order.size() && missing > 0; ++i, --missing) whole[order[i]] += 1;
  return whole;
}

/// Multiples of a unit, and of which part.
using Told = std::pair<std::int64_t, std::string_view>;

/// Makes one of those that are below a fiftieth of the first, when there are several.
void gather_rest(std::vector<Told>& told) {
  constexpr std::int64_t fraction = 50;
  const auto small = std::find_if(told.begin(), told.end(), [&](const Told& part) {
    return std::abs(part.first) * fraction < std::abs(told.front().first);
  });
  if (told.end() - small < 2) return;
  std::int64_t rest = 0;
  for (auto part = small; part != told.end(); ++part) rest += part->first;
  told.erase(small, told.end());
  if (rest != 0) told.emplace_back(rest, "the rest");
}

std::string amount_text(std::int64_t multiples, const Unit& unit) {
  constexpr std::array<double, 3> tens{1, 10, 100};
  return fmt::format("{:+.{}f}",
                     static_cast<double>(multiples) / tens[static_cast<std::size_t>(unit.digits)],
                     unit.digits);
}

}  // namespace

Difference difference(const PlanForecast& slower, const PlanForecast& quicker) {
  const double stretch = static_cast<double>(quicker.tokens) / static_cast<double>(slower.tokens);
  Difference result;
  for (const Part& part : parts) {
    const base::Seconds more = slower.breakdown.*part.time * stretch - quicker.breakdown.*part.time;
    result.parts.push_back({part.name, more});
    result.more += more;
  }
  std::stable_sort(result.parts.begin(), result.parts.end(), [](const auto& a, const auto& b) {
    return std::abs(a.more.s()) > std::abs(b.more.s());
  });
  return result;
}

std::string sentence(const Difference& difference) {
  std::vector<double> amounts;
  for (const PartDifference& part : difference.parts) amounts.push_back(part.more.s());
  const Unit unit = unit_for(std::max(std::abs(difference.more.s()), std::abs(amounts.front())));
  const std::vector<std::int64_t> whole = rounded(amounts, unit.seconds);
  std::vector<Told> told;
  for (std::size_t i = 0; i < whole.size(); ++i)
    if (whole[i] != 0) told.emplace_back(whole[i], difference.parts[i].name);
  std::stable_sort(told.begin(), told.end(), [](const auto& a, const auto& b) {
    return std::abs(a.first) > std::abs(b.first);
  });
  gather_rest(told);
  const std::int64_t sum = std::accumulate(whole.begin(), whole.end(), std::int64_t{0});
  std::string text = fmt::format("{} {}", amount_text(sum, unit), unit.name);
  for (const Told& part : told)
    text += fmt::format("{} {} {}", &part == &told.front() ? ":" : ",",
                        amount_text(part.first, unit), part.second);
  return text;
}

}  // namespace sim::compare
