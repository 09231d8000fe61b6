#include "calibrate/fit/size_fit.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.hpp"

namespace calibrate::fit {

namespace {

constexpr double once_measured = 0.05;     // spread where there is no repeat to tell it
constexpr double least_spread = 0.01;      // of a measurement: clocks and machines drift that much
constexpr double untested = 0.05;          // of an interpolation that nothing was held out for
constexpr double per_doubling = 0.1;       // of an extrapolation, for every factor of two beyond
constexpr double beyond_at_most = 0.5;     // all of that together
constexpr std::size_t held_out_least = 5;  // sizes that are enough to hold out every second

double doublings(double small, double large) {
  return std::log2(std::max(large, 1.0) / std::max(small, 1.0));
}

Point point_of(double bytes, const std::vector<Sample>& samples) {
  std::vector<double> seconds;
  std::vector<double> deviations;
  for (const Sample& sample : samples) {
    CHECK_INVARIANT(sample.seconds > 0);
    seconds.push_back(sample.seconds);
    if (sample.deviation > 0) deviations.push_back(sample.deviation);
  }
  Point point{bytes, median(seconds), once_measured, static_cast<int>(seconds.size())};
  double squares = 0;
  for (const double value : seconds) squares += std::pow(value / point.seconds - 1, 2);
  if (seconds.size() > 1)
    point.spread = std::sqrt(squares / static_cast<double>(seconds.size() - 1));
  else if (!deviations.empty())
    point.spread = deviations.front();
  point.spread = std::max(point.spread, least_spread);
  return point;
}

std::vector<Knot> knots_of(const std::vector<Point>& points) {
  std::vector<Knot> knots;
  for (const Point& point : points) knots.push_back({point.bytes, point.seconds});
  return knots;
}

/// Small messages scatter more than they grow: brought in order, which is said in the spread.
void put_points_in_order(std::vector<Point>& points) {
  std::vector<Knot> knots = knots_of(points);
  put_in_order(knots);
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double moved = std::log(knots[i].seconds / points[i].seconds);
    if (moved != 0) points[i].spread = std::hypot(points[i].spread, moved);
    points[i].seconds = knots[i].seconds;
  }
}

/// Errors of both halves of the sizes, each predicted by the other where it lies between two of it.
HeldOut hold_out(const std::vector<Knot>& raw) {
  std::vector<double> interpolated;
  std::vector<double> fitted;
  for (const std::size_t parity : {std::size_t{0}, std::size_t{1}}) {
    std::vector<Knot> seen;
    for (std::size_t i = parity; i < raw.size(); i += 2) seen.push_back(raw[i]);
    const PiecewiseLine line = fit_piecewise(seen);
    put_in_order(seen);
    const PiecewiseLine straight(seen);
    for (std::size_t i = 1 - parity; i < raw.size(); i += 2) {
      if (raw[i].bytes < seen.front().bytes || raw[i].bytes > seen.back().bytes) continue;
      interpolated.push_back(straight.at(raw[i].bytes) / raw[i].seconds - 1);
      fitted.push_back(line.at(raw[i].bytes) / raw[i].seconds - 1);
    }
  }
  const auto middle = [](std::vector<double> errors) {
    for (double& error : errors) error = std::abs(error);
    return median(std::move(errors));
  };
  HeldOut result{static_cast<int>(fitted.size()), middle(interpolated), middle(fitted), 0};
  result.spread = robust_deviation(result.fitted < result.interpolated ? fitted : interpolated);
  return result;
}

std::vector<Point> points_of(const std::map<double, std::vector<Sample>>& measured) {
  CHECK_INVARIANT(!measured.empty());
  std::vector<Point> points;
  for (const auto& [bytes, samples] : measured) points.push_back(point_of(bytes, samples));
  return points;
}

}  // namespace

Sample sample_of(const Times& times) {
  const bool known = times.iterations > 1 && times.deviation > 0 && times.mean > 0;
  return {times.typical(), known ? times.deviation / times.mean : 0};
}

SizeFit::SizeFit(const std::map<double, std::vector<Sample>>& measured)
    : points_(points_of(measured)), line_(fit_piecewise(knots_of(points_))) {
  const std::vector<Knot> raw = knots_of(points_);
  std::vector<double> residuals;
  for (const Knot& knot : raw) residuals.push_back(std::log(line_.at(knot.bytes) / knot.seconds));
  residual_spread_ = robust_deviation(std::move(residuals));
  if (raw.size() >= held_out_least) {
    held_out_ = hold_out(raw);
    if (held_out_->fitted < held_out_->interpolated) between_ = Evidence::fitted;
    std::vector<double> gaps;
    for (std::size_t i = 1; i < raw.size(); ++i)
      gaps.push_back(doublings(raw[i - 1].bytes, raw[i].bytes));
    usual_gap_ = std::max(median(std::move(gaps)), 1e-3);
  }
  put_points_in_order(points_);
}

Estimate SizeFit::at(double bytes) const {
  const auto above = std::lower_bound(points_.begin(), points_.end(), bytes,
                                      [](const Point& p, double b) { return p.bytes < b; });
  if (above == points_.end()) return beyond(points_.back(), bytes);
  if (above->bytes == bytes) return {above->seconds, above->spread, Evidence::measured};
  if (above == points_.begin()) return beyond(points_.front(), bytes);
  return inside(*std::prev(above), *above, bytes);
}

Estimate SizeFit::inside(const Point& below, const Point& above, double bytes) const {
  const double share = (bytes - below.bytes) / (above.bytes - below.bytes);
  const double straight = below.seconds + share * (above.seconds - below.seconds);
  const double seconds = between_ == Evidence::fitted ? line_.at(bytes) : straight;
  // Held-out sizes lie one usual gap from their neighbours; who lies farther is less sure.
  const double distance =
      std::min(doublings(below.bytes, bytes), doublings(bytes, above.bytes)) / usual_gap_;
  double unsure =
      (held_out_ ? std::max(held_out_->spread, least_spread) : untested) * std::max(1.0, distance);
  const auto [least, most] = std::minmax(below.seconds, above.seconds);
  // Where between them the method changes nobody saw.
  if (below.seconds > above.seconds) unsure = std::max(unsure, std::log(most / least) / 2);
  return {std::clamp(seconds, least, most),
          std::hypot(std::min(below.spread, above.spread), unsure), between_};
}

Estimate SizeFit::beyond(const Point& edge, double bytes) const {
  const double away = std::abs(doublings(edge.bytes, bytes));
  // Who saw no growth at all has not seen the bandwidth: then it is at most the highest seen.
  const bool flat = line_.segments().back().beta == 0 && bytes > edge.bytes;
  const double growth =
      flat ? bytes / std::max(edge.bytes, 1.0) : line_.at(bytes) / line_.at(edge.bytes);
  Estimate estimate{edge.seconds * growth,
                    std::hypot(edge.spread, std::min(beyond_at_most, per_doubling * away)),
                    Evidence::fitted, Reach::near};
  if (away > 1) {
    estimate.evidence = Evidence::model;
    estimate.reach = Reach::far;
  }
  return estimate;
}

}  // namespace calibrate::fit
