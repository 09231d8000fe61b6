#include "calibrate/fit/kriging.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/check.hpp"
#include "calibrate/fit/piecewise.hpp"

namespace calibrate::fit {

namespace {

constexpr std::size_t nearest = 24;  // the others are hidden behind these
constexpr auto nobody = std::numeric_limits<std::size_t>::max();

double distance(const Kriging::Place& a, const Kriging::Place& b) {
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) squares += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(squares);
}

/// Solves a x = b for a symmetric positive definite matrix by its Cholesky factor; `a` row by row,
/// of which the lower half counts.
std::vector<double> solve(std::vector<double> a, std::vector<double> b) {
  const std::size_t n = b.size();
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = a[i * n + j];
      for (std::size_t k = 0; k < j; ++k) sum -= a[i * n + k] * a[j * n + k];
      a[i * n + j] = i == j ? std::sqrt(sum) : sum / a[j * n + j];
    }
  }
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t k = 0; k < i; ++k) b[i] -= a[i * n + k] * b[k];
    b[i] /= a[i * n + i];
  }
  for (std::size_t i = n; i-- > 0;) {
    for (std::size_t k = i + 1; k < n; ++k) b[i] -= a[k * n + i] * b[k];
    b[i] /= a[i * n + i];
  }
  return b;
}

}  // namespace

Kriging::Kriging(std::vector<Place> places, std::vector<double> values, const Options& options)
    : places_(std::move(places)),
      values_(std::move(values)),
      options_(options),
      middle_(median(values_)) {
  CHECK_INVARIANT(places_.size() == values_.size() && options_.noise > 0);
}

double Kriging::at(const Place& place) const { return predict(place, nobody); }

double Kriging::without(std::size_t i) const { return predict(places_[i], i); }

double Kriging::predict(const Place& place, std::size_t left_out) const {
  std::vector<std::pair<double, std::size_t>> near;
  for (std::size_t i = 0; i < places_.size(); ++i)
    if (i != left_out) near.emplace_back(distance(place, places_[i]), i);
  const std::size_t count = std::min(nearest, near.size());
  std::partial_sort(near.begin(), near.begin() + static_cast<std::ptrdiff_t>(count), near.end());
  std::vector<double> between(count * count);
  std::vector<double> to(count);
  for (std::size_t i = 0; i < count; ++i) {
    to[i] = std::exp(-near[i].first / options_.length);
    for (std::size_t j = 0; j < i; ++j)
      between[i * count + j] =
          std::exp(-distance(places_[near[i].second], places_[near[j].second]) / options_.length);
    between[i * count + i] = 1 + options_.noise;
  }
  const std::vector<double> weights = solve(std::move(between), std::move(to));
  double value = middle_;
  for (std::size_t i = 0; i < count; ++i) value += weights[i] * (values_[near[i].second] - middle_);
  return value;
}

}  // namespace calibrate::fit
