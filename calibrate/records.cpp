#include "calibrate/records.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/check.hpp"

namespace calibrate {

namespace {

double quantile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::lerp(sorted[below], sorted[above], at - static_cast<double>(below));
}

}  // namespace

std::optional<double> slowed(const Times& alone, const Times& beside) {
  if (!(alone.mean > 0) || !(beside.mean > 0)) return {};
  return beside.mean / alone.mean;
}

Times times_of(std::vector<double> samples) {
  CHECK_INVARIANT(!samples.empty());
  std::vector<double> sorted = samples;
  std::sort(sorted.begin(), sorted.end());
  const auto count = static_cast<double>(sorted.size());
  Times times;
  times.iterations = static_cast<int>(sorted.size());
  times.mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / count;
  times.min = sorted.front();
  times.max = sorted.back();
  times.p50 = quantile(sorted, 0.5);
  times.p95 = quantile(sorted, 0.95);
  times.p99 = quantile(sorted, 0.99);
  if (sorted.size() > 1) {
    double squares = 0;
    for (const double sample : sorted) squares += (sample - times.mean) * (sample - times.mean);
    times.deviation = std::sqrt(squares / (count - 1));
  }
  times.samples = std::move(samples);
  return times;
}

}  // namespace calibrate
