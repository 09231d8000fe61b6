#include "calibrate/fit/shape_fit.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "base/check.hpp"

namespace calibrate::fit {

namespace {

constexpr double per_doubling = 0.1;      // spread of an extrapolation, as of sizes
constexpr double beyond_at_most = 0.5;    // all of that together
constexpr double outlier = 5;             // deviations from what all others say
constexpr std::size_t correct_least = 6;  // shapes; fewer cannot tell whether a correction helps
constexpr std::size_t held_out_least = 8;

double log_of(std::int64_t dimension) {
  return std::log2(static_cast<double>(std::max<std::int64_t>(dimension, 1)));
}

/// Logarithms of the dimensions.
Kriging::Place dimensions_of(const base::Kernel& kernel) {
  if (const auto* g = std::get_if<base::Gemm>(&kernel))
    return {log_of(g->m), log_of(g->n), log_of(g->k), log_of(g->batch)};
  const auto& a = std::get<base::Attention>(kernel);
  const std::int64_t seen = a.window > 0 ? std::min(a.window, a.seq_kv) : a.seq_kv;
  return {log_of(a.batch),    log_of(a.seq_q),    log_of(a.seq_kv),    log_of(a.q_heads),
          log_of(a.kv_heads), log_of(a.head_dim), log_of(a.value_dim), log_of(seen)};
}

/// The same, and at a distance what is no number: a mask, adding, another format of the output.
Kriging::Place place_of(const base::Kernel& kernel) {
  constexpr double apart = 3;
  Kriging::Place place = dimensions_of(kernel);
  if (const auto* g = std::get_if<base::Gemm>(&kernel)) {
    place.push_back(g->adds ? apart : 0);
    place.push_back(apart * std::log2(base::bytes_of(g->output)));
  } else {
    place.push_back(std::get<base::Attention>(kernel).causal ? apart : 0);
  }
  return place;
}

/// Dimensions and the work, which has a range of its own.
Kriging::Place extent_of(const base::Kernel& kernel) {
  Kriging::Place place = dimensions_of(kernel);
  place.push_back(std::log2(std::max(base::flop_of(kernel).count(), 1.0)));
  return place;
}

/// Largest difference of a dimension, in doublings.
double doublings(const Kriging::Place& a, const Kriging::Place& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] - b[i]));
  return most;
}

double log_residual(const Shape& shape, const TimeForm& form) {
  return std::log(shape.seconds / form(shape.kernel));
}

/// Mean absolute difference, of which none counts more than that of a factor of e.
double clipped_mean(const std::vector<double>& residuals) {
  double sum = 0;
  for (const double value : residuals) sum += std::min(std::abs(value), 1.0);
  return sum / static_cast<double>(residuals.size());
}

}  // namespace

std::vector<Shape> shapes_of(const std::vector<std::pair<base::Kernel, Sample>>& measured) {
  std::map<Kriging::Place, std::pair<base::Kernel, std::map<double, std::vector<Sample>>>> known;
  for (const auto& [kernel, sample] : measured) {
    auto& entry = known[place_of(kernel)];
    entry.first = kernel;
    entry.second[0].push_back(sample);
  }
  std::vector<Shape> shapes;
  for (const auto& [place, entry] : known) {
    const Estimate estimate = SizeFit(entry.second).at(0);
    shapes.push_back({entry.first, estimate.seconds, estimate.spread});
  }
  return shapes;
}

ShapeFit::ShapeFit(std::vector<Shape> shapes, const FormFit& form) : shapes_(std::move(shapes)) {
  CHECK_INVARIANT(!shapes_.empty());
  form_ = form(shapes_);
  std::vector<double> residuals;
  for (const Shape& shape : shapes_) {
    places_.push_back(place_of(shape.kernel));
    residuals.push_back(log_residual(shape, form_));
    const Kriging::Place extent = extent_of(shape.kernel);
    if (least_.empty()) least_ = most_ = extent;
    for (std::size_t i = 0; i < extent.size(); ++i) {
      least_[i] = std::min(least_[i], extent[i]);
      most_[i] = std::max(most_[i], extent[i]);
    }
  }
  offset_ = median(residuals);
  std::vector<double> off;
  for (const double residual : residuals) off.push_back(residual - offset_);
  constexpr double once_fitted = 0.1;  // a formula with as many parameters as shapes fits anything
  form_spread_ = shapes_.size() < correct_least ? std::max(once_fitted, robust_deviation(off))
                                                : robust_deviation(off);
  left_out_spread_ = form_spread_;
  if (shapes_.size() >= correct_least) choose_correction(places_);
}

void ShapeFit::choose_correction(const std::vector<Kriging::Place>& places) {
  std::vector<double> residuals;
  for (const Shape& shape : shapes_) residuals.push_back(log_residual(shape, form_));
  std::vector<double> off;
  for (const double residual : residuals) off.push_back(residual - offset_);
  const auto all_left_out = [](const Kriging& kriging, const std::vector<double>& values) {
    std::vector<double> left_out;
    for (std::size_t i = 0; i < values.size(); ++i)
      left_out.push_back(values[i] - kriging.without(i));
    return left_out;
  };
  double least = clipped_mean(off);
  std::optional<Kriging::Options> chosen;
  std::vector<double> errors = off;
  for (const double length : {2.0, 4.0, 8.0, 16.0})
    for (const double noise : {0.01, 0.1, 0.5}) {
      const Kriging::Options options{length, noise};
      std::vector<double> left_out = all_left_out(Kriging(places, residuals, options), residuals);
      const double mean = clipped_mean(left_out);
      if (mean >= least) continue;
      least = mean;
      chosen = options;
      errors = std::move(left_out);
    }
  left_out_spread_ = robust_deviation(errors);
  if (!chosen) return;
  std::vector<Kriging::Place> kept;
  std::vector<double> values;
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (std::abs(errors[i]) > outlier * left_out_spread_) continue;
    kept.push_back(places[i]);
    values.push_back(residuals[i]);
  }
  correction_.emplace(std::move(kept), std::move(values), *chosen);
}

double ShapeFit::predict(const base::Kernel& kernel, const Kriging::Place& place) const {
  return form_(kernel) * std::exp(correction_ ? correction_->at(place) : offset_);
}

Estimate ShapeFit::at(const base::Kernel& kernel) const {
  const Kriging::Place place = place_of(kernel);
  double nearest = std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < shapes_.size(); ++i) {
    if (places_[i] == place) return {shapes_[i].seconds, shapes_[i].spread, Evidence::measured};
    nearest = std::min(nearest, doublings(places_[i], place));
  }
  double outside = 0;  // doublings beyond the range
  const Kriging::Place extent = extent_of(kernel);
  for (std::size_t i = 0; i < extent.size(); ++i)
    outside = std::max({outside, least_[i] - extent[i], extent[i] - most_[i]});
  Estimate estimate{predict(kernel, place), left_out_spread_, Evidence::interpolated};
  if (outside > 0) estimate.reach = outside > 1 ? Reach::far : Reach::near;
  if (outside > 0 || nearest > 1) {
    estimate.evidence = outside > 1 ? Evidence::model : Evidence::fitted;
    estimate.spread = std::hypot(std::max(form_spread_, left_out_spread_),
                                 std::min(beyond_at_most, per_doubling * outside));
  }
  return estimate;
}

std::vector<double> held_out_errors(const std::vector<Shape>& shapes, const FormFit& form) {
  std::vector<double> errors;
  if (shapes.size() < held_out_least) return errors;
  // Multiples of the golden ratio spread evenly and share no rhythm with the grid of shapes.
  constexpr double golden = 0.6180339887498949;
  std::array<std::vector<Shape>, 2> halves;
  for (std::size_t i = 0; i < shapes.size(); ++i)
    halves[std::fmod(golden * static_cast<double>(i), 1.0) < 0.5 ? 0 : 1].push_back(shapes[i]);
  for (const std::size_t half : {std::size_t{0}, std::size_t{1}}) {
    const ShapeFit fit(halves[half], form);
    for (const Shape& shape : halves[1 - half])
      errors.push_back(fit.at(shape.kernel).seconds / shape.seconds - 1);
  }
  return errors;
}

}  // namespace calibrate::fit
