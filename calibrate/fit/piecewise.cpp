#include "calibrate/fit/piecewise.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/check.hpp"

namespace calibrate::fit {

namespace {

constexpr double noise_least = 0.003;
constexpr double cut_off = 3;                // sigma
constexpr std::size_t segment_points = 3;    // two would fit any noise
constexpr std::size_t boundaries_most = 64;  // more points than that share candidate breakpoints

struct Line {
  double alpha = 0;
  double beta = 0;
  double at(double bytes) const { return alpha + beta * bytes; }
};

/// log(line / measured), and a large number where the line is not even positive.
double residual(const Line& line, const Knot& point) {
  return std::log(std::max(line.at(point.bytes), 1e-4 * point.seconds) / point.seconds);
}

/// Least squares of (line - t)^2 weight / (t line_before), which near the optimum are squares of
/// log residuals.
Line weighted_line(std::span<const Knot> points, std::span<const double> weights) {
  double w = 0;
  double x = 0;
  double y = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    w += weights[i];
    x += weights[i] * points[i].bytes;
    y += weights[i] * points[i].seconds;
  }
  x /= w;
  y /= w;
  double xx = 0;
  double xy = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const double dx = points[i].bytes - x;
    xx += weights[i] * dx * dx;
    xy += weights[i] * dx * (points[i].seconds - y);
  }
  const double beta = xx > 0 ? std::max(0.0, xy / xx) : 0.0;
  return {y - beta * x, beta};
}

/// Iteratively reweighted: at first each point pulls with the same strength (least absolute
/// residuals), then those beyond the cut-off do not pull at all.
Line robust_line(std::span<const Knot> points, double noise) {
  std::vector<double> weights;
  for (const Knot& point : points) weights.push_back(1 / (point.seconds * point.seconds));
  Line line = weighted_line(points, weights);
  constexpr int absolute_steps = 12;
  constexpr int steps = 20;
  for (int step = 0; step < steps; ++step) {
    double total = 0;
    std::vector<double> next(points.size());
    for (std::size_t i = 0; i < points.size(); ++i) {
      const double off = std::abs(residual(line, points[i]));
      const double near = std::max(line.at(points[i].bytes), 1e-4 * points[i].seconds);
      const double inside = std::max(0.0, 1 - std::pow(off / (cut_off * noise), 2));
      const double pull = step < absolute_steps ? 1 / std::max(off, noise) : inside * inside;
      next[i] = pull / (points[i].seconds * near);
      total += next[i];
    }
    if (!(total > 0)) break;  // nothing near this line: the one before stays
    line = weighted_line(points, next);
  }
  return line;
}

double loss(const Line& line, std::span<const Knot> points, double noise) {
  double sum = 0;
  for (const Knot& point : points)
    sum += std::min(std::pow(residual(line, point) / noise, 2), cut_off * cut_off);
  return sum;
}

/// Of log times, from how far each point lies off the line between its neighbours: of three
/// independent errors, the neighbours' weighted.
double noise_of(std::span<const Knot> points) {
  std::vector<double> off;
  for (std::size_t i = 1; i + 1 < points.size(); ++i) {
    const Knot& a = points[i - 1];
    const Knot& b = points[i + 1];
    const double share = (points[i].bytes - a.bytes) / (b.bytes - a.bytes);
    const double between = a.seconds + share * (b.seconds - a.seconds);
    const double left = (1 - share) * a.seconds / between;
    const double right = share * b.seconds / between;
    off.push_back(std::abs(std::log(points[i].seconds / between)) /
                  std::sqrt(1 + left * left + right * right));
  }
  if (off.empty()) return 10 * noise_least;
  constexpr double normal = 1.4826;  // standard deviation over median absolute deviation
  return std::max(noise_least, normal * median(std::move(off)));
}

/// One range: points [first, end) on one line.
struct Range {
  std::size_t first = 0;
  std::size_t end = 0;
  Line line;
};

std::vector<Range> best_ranges(std::span<const Knot> points) {
  const std::size_t count = points.size();
  const double noise = noise_of(points);
  const double price = 5 * std::log(static_cast<double>(std::max<std::size_t>(count, 2)));
  std::vector<std::size_t> boundaries;
  const std::size_t stride = (count + boundaries_most - 1) / boundaries_most;
  for (std::size_t at = 0; at < count; at += stride) boundaries.push_back(at);
  boundaries.push_back(count);

  struct Best {
    double cost = std::numeric_limits<double>::infinity();
    std::size_t before = 0;  ///< index of the boundary where the last range begins
    Line line;
  };
  std::vector<Best> best(boundaries.size());
  best.front().cost = 0;
  for (std::size_t to = 1; to < boundaries.size(); ++to)
    for (std::size_t from = 0; from < to; ++from) {
      const std::size_t length = boundaries[to] - boundaries[from];
      if (length < std::min(segment_points, count) || !std::isfinite(best[from].cost)) continue;
      const auto part = points.subspan(boundaries[from], length);
      const Line line = robust_line(part, noise);
      const double cost = best[from].cost + loss(line, part, noise) + price;
      if (cost < best[to].cost) best[to] = {cost, from, line};
    }
  std::vector<Range> ranges;
  for (std::size_t to = boundaries.size() - 1; to > 0; to = best[to].before)
    ranges.push_back({boundaries[best[to].before], boundaries[to], best[to].line});
  std::reverse(ranges.begin(), ranges.end());
  return ranges;
}

}  // namespace

double median(std::vector<double> values) {
  CHECK_INVARIANT(!values.empty());
  const auto half = static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), values.begin() + half, values.end());
  const double upper = values[static_cast<std::size_t>(half)];
  if (values.size() % 2 == 1) return upper;
  return 0.5 * (upper + *std::max_element(values.begin(), values.begin() + half));
}

double robust_deviation(std::vector<double> residuals) {
  CHECK_INVARIANT(!residuals.empty());
  for (double& value : residuals) value = std::abs(value);
  std::sort(residuals.begin(), residuals.end());
  const auto rank = static_cast<std::size_t>(0.683 * static_cast<double>(residuals.size()));
  return residuals[std::min(rank, residuals.size() - 1)];
}

std::vector<std::size_t> method_changes(std::span<const Knot> points) {
  std::vector<std::size_t> changes;
  constexpr std::size_t sizes = 3;  // of each method
  if (points.size() < 2 * sizes) return changes;
  constexpr double least = 1.25;
  const double quicker = std::max(least, std::exp(cut_off * std::sqrt(2.0) * noise_of(points)));
  const auto shorter = [](const Knot& a, const Knot& b) { return a.seconds < b.seconds; };
  for (std::size_t i = sizes; i + sizes <= points.size(); ++i) {
    const auto before = points.subspan(i - sizes, sizes);
    const auto after = points.subspan(i, sizes);
    if (std::min_element(before.begin(), before.end(), shorter)->seconds >
        quicker * std::max_element(after.begin(), after.end(), shorter)->seconds)
      changes.push_back(i);
  }
  return changes;
}

namespace {

void order_one_method(std::span<Knot> knots) {
  struct Block {
    std::vector<double> logs;
    double middle = 0;
  };
  std::vector<Block> blocks;
  for (const Knot& knot : knots) {
    blocks.push_back({{std::log(knot.seconds)}, std::log(knot.seconds)});
    while (blocks.size() > 1 && blocks.back().middle < blocks[blocks.size() - 2].middle) {
      const Block last = std::move(blocks.back());
      blocks.pop_back();
      Block& block = blocks.back();
      block.logs.insert(block.logs.end(), last.logs.begin(), last.logs.end());
      block.middle = median(block.logs);
    }
  }
  auto knot = knots.begin();
  for (const Block& block : blocks)
    for (std::size_t i = 0; i < block.logs.size(); ++i, ++knot)
      if (block.logs.size() > 1) knot->seconds = std::exp(block.middle);
}

/// Calls `look` with the sizes of each method: those from a number to before another.
template <class Look>
void each_method(std::span<const Knot> points, const Look& look) {
  std::size_t first = 0;
  for (const std::size_t change : method_changes(points)) {
    look(first, change);
    first = change;
  }
  look(first, points.size());
}

}  // namespace

void put_in_order(std::vector<Knot>& knots) {
  const std::vector<Knot> raw = knots;
  each_method(raw, [&](std::size_t first, std::size_t end) {
    order_one_method(std::span(knots).subspan(first, end - first));
  });
}

PiecewiseLine::PiecewiseLine(std::vector<Knot> knots) {
  CHECK_INVARIANT(!knots.empty() && knots.front().seconds > 0);
  if (knots.size() == 1) segments_.push_back({knots[0].bytes, knots[0].bytes, knots[0].seconds, 0});
  for (std::size_t i = 1; i < knots.size(); ++i) {
    const Knot& a = knots[i - 1];
    const Knot& b = knots[i];
    CHECK_INVARIANT(a.bytes < b.bytes && b.seconds > 0);
    const double beta = (b.seconds - a.seconds) / (b.bytes - a.bytes);
    segments_.push_back({a.bytes, b.bytes, a.seconds - beta * a.bytes, beta});
  }
}

double PiecewiseLine::at(double bytes) const {
  const Segment& first = segments_.front();
  if (bytes <= first.from) {
    const double edge = first.alpha + first.beta * first.from;
    const double share = first.from > 0 ? bytes / first.from : 1;
    return std::max(first.alpha + first.beta * bytes, edge * share);
  }
  const auto over = std::find_if(segments_.begin(), segments_.end(),
                                 [&](const Segment& s) { return bytes <= s.to; });
  const Segment& segment = over == segments_.end() ? segments_.back() : *over;
  return segment.alpha + segment.beta * bytes;
}

namespace {

std::vector<Knot> fit_one_method(std::span<const Knot> points) {
  const std::vector<Range> ranges = best_ranges(points);
  std::vector<Knot> knots;
  const auto add = [&](const Line& line, double bytes, const Knot& near) {
    knots.push_back({bytes, std::max(line.at(bytes), 1e-4 * near.seconds)});
  };
  add(ranges.front().line, points.front().bytes, points.front());
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    const Range& left = ranges[i - 1];
    const Range& right = ranges[i];
    const Knot& last = points[left.end - 1];
    const Knot& next = points[right.first];
    // Where the two lines cross; where they do not between their points, the time jumps from one
    // to the other.
    const double crossing =
        (left.line.alpha - right.line.alpha) / (right.line.beta - left.line.beta);
    if (crossing > last.bytes && crossing < next.bytes) {
      add(left.line, crossing, last);
    } else {
      if (last.bytes > knots.back().bytes) add(left.line, last.bytes, last);
      add(right.line, next.bytes, next);
    }
  }
  if (points.back().bytes > knots.back().bytes)
    add(ranges.back().line, points.back().bytes, points.back());
  order_one_method(knots);
  return knots;
}

}  // namespace

PiecewiseLine fit_piecewise(std::span<const Knot> points) {
  CHECK_INVARIANT(!points.empty());
  std::vector<Knot> knots;
  each_method(points, [&](std::size_t first, std::size_t end) {
    const std::vector<Knot> of_method = fit_one_method(points.subspan(first, end - first));
    knots.insert(knots.end(), of_method.begin(), of_method.end());
  });
  return PiecewiseLine(std::move(knots));
}

}  // namespace calibrate::fit
