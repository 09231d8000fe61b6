#include "sim/compare/comparison.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

namespace sim::compare {

namespace {

/// As good as `b` in everything and better in something.
bool dominates(const PlanForecast& a, const PlanForecast& b) {
  const bool as_good = a.seconds_per_token() <= b.seconds_per_token() &&
                       a.memory_peak <= b.memory_peak && a.gpus <= b.gpus;
  return as_good && (a.seconds_per_token() < b.seconds_per_token() ||
                     a.memory_peak < b.memory_peak || a.gpus < b.gpus);
}

bool goes_before(const PlanForecast& a, const PlanForecast& b) {
  if (a.fits != b.fits) return a.fits;
  return a.fits ? a.seconds_per_token() < b.seconds_per_token() : a.memory_use() < b.memory_use();
}

}  // namespace

double probability_quicker(const PlanForecast& a, const PlanForecast& b) {
  std::map<std::string_view, std::pair<double, double>> errors;  // of each source
  for (const SourceShare& source : a.sources)
    errors[source.name].first += source.share * source.spread;
  for (const SourceShare& source : b.sources)
    errors[source.name].second += source.share * source.spread;
  double variance = 0;
  for (const auto& [name, error] : errors) {
    const auto [u, v] = error;
    variance += u * u + v * v - 2 * common_share * u * v;
  }
  const double ahead = std::log(b.seconds_per_token() / a.seconds_per_token());
  if (ahead == 0) return 0.5;
  if (variance <= 0) return ahead > 0 ? 1 : 0;
  return 0.5 * std::erfc(-ahead / std::sqrt(2 * variance));
}

Comparison rank(std::vector<PlanForecast> forecasts) {
  std::stable_sort(forecasts.begin(), forecasts.end(), goes_before);
  Comparison comparison;
  std::set<std::string> told;
  for (const PlanForecast& forecast : forecasts)
    for (const base::Diagnostic& one : forecast.diagnostics)
      if (told.insert(one.format()).second) comparison.diagnostics.push_back(one);
  for (const PlanForecast& forecast : forecasts)
    comparison.plans.push_back(
        {.forecast = forecast,
         .pareto = forecast.fits && std::none_of(forecasts.begin(), forecasts.end(),
                                                 [&](const PlanForecast& other) {
                                                   return other.fits && dominates(other, forecast);
                                                 }),
         .first_is_quicker = probability_quicker(forecasts.front(), forecast)});
  return comparison;
}

}  // namespace sim::compare
