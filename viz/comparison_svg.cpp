#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/quantity.hpp"
#include "sim/compare/difference.hpp"
#include "viz/comparison.hpp"
#include "viz/digits.hpp"
#include "viz/svg.hpp"
#include "viz/terminal.hpp"

namespace viz {

namespace {

using sim::compare::Comparison;
using sim::compare::PlanForecast;
using sim::compare::Ranked;

// Pixels.
constexpr double scatter_width = 520;
constexpr double bars_width = 400;  ///< without the names of the plans
constexpr double top_edge = 52;     ///< of the axes
constexpr double bottom_edge = 44;
constexpr double bar_pitch = 22;
constexpr double bar_height = 15;
constexpr double least_height = 300;  ///< between the axes
constexpr double character = 6.4;     ///< wide enough for most letters of size 11
constexpr double legend_pitch = 18;
constexpr int name_width_max = 40;  ///< characters

constexpr std::string_view front_colour = "#1d4ed8";
constexpr std::string_view other_colour = "#6b7280";
constexpr std::string_view misfit_colour = "#b91c1c";
constexpr std::string_view grid_colour = "#ddd";
constexpr std::string_view frame_colour = "#999";

/// Of the parts of a breakdown: kernels blue, communication warm, waiting grey.
constexpr std::array<std::string_view, sim::compare::parts.size()> part_colours{
    "#1e3a8a", "#2563eb", "#93c5fd", "#c2410c", "#f59e0b", "#fcd34d", "#be123c",
    "#fb7185", "#7e22ce", "#9ca3af", "#15803d", "#475569", "#fdba74", "#e5e7eb"};

struct Scale {
  double least = 0;
  double most = 1;
  double from = 0;  ///< pixel of `least`
  double to = 1;

  double at(double value) const { return from + (value - least) / (most - least) * (to - from); }
};

/// Multiples of 1, 2 or 5 times a power of ten, at most about `count` of them.
std::vector<double> ticks(const Scale& scale, int count) {
  const double rough = (scale.most - scale.least) / count;
  const double decade = std::pow(10.0, std::floor(std::log10(rough)));
  double step = 10 * decade;
  for (const double factor : {1.0, 2.0, 5.0})
    if (rough <= factor * decade * (1 + 1e-9)) {
      step = factor * decade;
      break;
    }
  std::vector<double> values;
  const auto last = static_cast<std::int64_t>(std::floor(scale.most / step + 1e-9));
  for (auto k = static_cast<std::int64_t>(std::ceil(scale.least / step - 1e-9)); k <= last; ++k)
    values.push_back(static_cast<double>(k) * step);
  return values;
}

struct Box {
  double left, top, right, bottom;

  bool meets(const Box& other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
  bool lies_in(const Box& other) const {
    return left >= other.left && right <= other.right && top >= other.top && bottom <= other.bottom;
  }
};

/// Numbers beside points, where they meet neither another number, nor a point, nor the frame.
class Labels {
 public:
  explicit Labels(Box frame) : frame_(frame) {}

  void keep_off(double x, double y) { taken_.push_back({x - 5, y - 5, x + 5, y + 5}); }

  std::string place(double x, double y, const std::string& words, std::string_view colour) {
    const double half = 3.4 * static_cast<double>(words.size()) + 1;
    for (const double away : {11.0, 16.0, 24.0, 34.0, 46.0, 60.0})
      for (int direction = 0; direction < 12; ++direction) {
        const double angle = std::numbers::pi / 6 * direction - std::numbers::pi / 4;
        const double cx = x + away * std::cos(angle);
        const double cy = y + away * std::sin(angle);
        const Box box{cx - half, cy - 6, cx + half, cy + 6};
        const auto meets = [&](const Box& other) { return box.meets(other); };
        if (!box.lies_in(frame_) || std::any_of(taken_.begin(), taken_.end(), meets)) continue;
        taken_.push_back(box);
        const std::string lead = away > 16 ? svg_line(x, y, cx - (half - 2) * std::cos(angle),
                                                      cy - 4 * std::sin(angle), frame_colour)
                                           : std::string();
        return lead + svg_text(cx, cy + 4, "middle", 11, words, colour);
      }
    return {};  // a crowd; its numbers stand beside the bars
  }

 private:
  Box frame_;
  std::vector<Box> taken_;
};

class Picture {
 public:
  Picture(const Comparison& comparison, std::size_t top) {
    for (std::size_t i = 0; i < std::min(top, comparison.plans.size()); ++i)
      plans_.push_back(&comparison.plans[i]);
    tokens_ = plans_.front()->forecast.tokens;
    for (const Ranked* one : plans_) same_tokens_ &= one->forecast.tokens == tokens_;
    int name_width = 4;
    for (const Ranked* one : plans_)
      name_width = std::max(name_width, width_of(printable(one->forecast.name)));
    names_width_ = 36 + character * std::min(name_width, name_width_max);
    height_ =
        std::max(least_height, bar_pitch * static_cast<double>(plans_.size()) + bar_pitch / 2);
    bottom_ = top_edge + height_;
    width_ = scatter_width + names_width_ + bars_width;
    title_ = comparison.scenario;
  }

  std::string text() const {
    const auto [legend, height] = legend_of(66);
    std::string out = svg_begin(width_, height);
    out += svg_text(16, 22, "start", 14, title_);
    return out + scatter() + bars() + legend + "</svg>\n";
  }

 private:
  /// Seconds of a step, or of as many tokens as the first plan's step has.
  double seconds(const PlanForecast& plan, base::Seconds step) const {
    return step.s() * static_cast<double>(tokens_) / static_cast<double>(plan.tokens);
  }
  std::string time_title() const {
    return same_tokens_ ? "step time, p10 to p90"
                        : fmt::format("time of {} tokens, p10 to p90",
                                      base::format_count(static_cast<double>(tokens_)));
  }

  std::string frame(const Scale& x, const Scale& y) const {
    return fmt::format(
        "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"none\" "
        "stroke=\"{}\"/>\n",
        x.from, y.to, x.to - x.from, y.from - y.to, frame_colour);
  }

  /// Vertical lines with times below.
  std::string time_ticks(const Scale& x, const Scale& y) const {
    std::string out;
    for (const double value : ticks(x, 5)) {
      out += svg_line(x.at(value), y.from, x.at(value), y.to, grid_colour);
      out += svg_text(x.at(value), y.from + 15, "middle", 10,
                      base::format_seconds(base::Seconds::from_s(value)), "#555");
    }
    return out;
  }

  std::string scatter() const {
    Scale x{1e300, 0, 66, scatter_width - 24};
    Scale y{0, 0, bottom_, top_edge};
    double capacity = 0;
    for (const Ranked* one : plans_) {
      const PlanForecast& plan = one->forecast;
      x.least = std::min(x.least, seconds(plan, plan.step_p10));
      x.most = std::max(x.most, seconds(plan, plan.step_p90));
      capacity = std::max(capacity, plan.memory_capacity.gib());
      y.most = std::max({y.most, plan.memory_peak.gib(), plan.memory_capacity.gib()});
    }
    const double margin = std::max(0.04 * (x.most - x.least), 1e-3 * x.most);
    x.least -= margin;
    x.most += margin;
    y.most *= 1.08;
    std::string out = svg_text(x.from, top_edge - 10, "start", 11, "peak memory, GiB", "#555");
    out += time_ticks(x, y);
    for (const double value : ticks(y, 6)) {
      out += svg_line(x.from, y.at(value), x.to, y.at(value), grid_colour);
      out += svg_text(x.from - 6, y.at(value) + 4, "end", 10, fmt::format("{:g}", value), "#555");
    }
    out += svg_text((x.from + x.to) / 2, bottom_ + 33, "middle", 11, time_title(), "#555");
    out += svg_line(x.from, y.at(capacity), x.to, y.at(capacity), misfit_colour,
                    "stroke-dasharray=\"5 4\"");
    out += svg_text(x.to, top_edge - 10, "end", 11,
                    fmt::format("dashed: {} GiB there are", three_digits(capacity)), misfit_colour);
    return out + frame(x, y) + front_line(x, y) + points(x, y);
  }

  /// Steps through the front: what can be had for less memory. Only where all use as many GPUs;
  /// else the front is no line in this picture.
  std::string front_line(const Scale& x, const Scale& y) const {
    std::string path;
    double last = 0;
    for (const Ranked* one : plans_) {
      if (one->forecast.gpus != plans_.front()->forecast.gpus) return {};
      if (!one->pareto) continue;
      const double px = x.at(seconds(one->forecast, one->forecast.step));
      const double py = y.at(one->forecast.memory_peak.gib());
      if (!path.empty()) path += fmt::format("{:.1f},{:.1f} ", px, last);
      path += fmt::format("{:.1f},{:.1f} ", px, py);
      last = py;
    }
    return fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\"/>\n", path,
                       front_colour);
  }

  std::string points(const Scale& x, const Scale& y) const {
    std::string out;
    std::string labels_text;
    Labels labels({x.from + 2, y.to + 2, x.to - 2, y.from - 2});
    for (const Ranked* one : plans_)
      labels.keep_off(x.at(seconds(one->forecast, one->forecast.step)),
                      y.at(one->forecast.memory_peak.gib()));
    for (std::size_t i = 0; i < plans_.size(); ++i) {
      const PlanForecast& plan = plans_[i]->forecast;
      const double px = x.at(seconds(plan, plan.step));
      const double py = y.at(plan.memory_peak.gib());
      const std::string_view colour = !plan.fits          ? misfit_colour
                                      : plans_[i]->pareto ? front_colour
                                                          : other_colour;
      out += svg_line(x.at(seconds(plan, plan.step_p10)), py, x.at(seconds(plan, plan.step_p90)),
                      py, colour, "stroke-opacity=\"0.25\"");
      out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3.5\" fill=\"{}\"/>\n", px, py,
                         colour);
      labels_text += labels.place(px, py, std::to_string(i + 1), colour);
    }
    return out + labels_text;
  }

  std::string bars() const {
    Scale x{0, 0, scatter_width + names_width_, width_ - 66};
    const Scale y{0, 1, bottom_, top_edge};
    for (const Ranked* one : plans_)
      x.most = std::max(x.most, seconds(one->forecast, one->forecast.step));
    x.most *= 1.02;
    std::string out =
        svg_text(x.from, top_edge - 10, "start", 11, "where the time goes, average rank", "#555");
    out += time_ticks(x, y);
    for (std::size_t i = 0; i < plans_.size(); ++i) {
      const PlanForecast& plan = plans_[i]->forecast;
      const double middle = top_edge + bar_pitch * (static_cast<double>(i) + 0.75);
      const std::string_view colour = plan.fits ? "#111" : misfit_colour;
      std::string name = printable(plan.name);
      if (width_of(name) > name_width_max) name = fit(name, name_width_max);
      out += svg_text(x.from - 6, middle + 4, "end", 11, std::to_string(i + 1), colour);
      out += svg_text(x.from - 30, middle + 4, "end", 11, name, colour);
      double from = 0;
      for (std::size_t p = 0; p < sim::compare::parts.size(); ++p) {
        const double to = from + seconds(plan, plan.breakdown.*sim::compare::parts[p].time);
        if (x.at(to) - x.at(from) > 0.05)
          out += fmt::format(
              "<rect x=\"{:.2f}\" y=\"{:.1f}\" width=\"{:.2f}\" height=\"{}\" fill=\"{}\"/>\n",
              x.at(from), middle - bar_height / 2, x.at(to) - x.at(from), bar_height,
              part_colours[p]);
        from = to;
      }
      out += svg_text(width_ - 8, middle + 4, "end", 11,
                      time_text(base::Seconds::from_s(seconds(plan, plan.step))));
    }
    return out + frame(x, y);
  }

  /// Colours of the parts that can be seen, in rows below the bars, and how high that makes all.
  std::pair<std::string, double> legend_of(double left) const {
    std::string out;
    double x = left;
    double y = bottom_ + bottom_edge + legend_pitch;
    for (std::size_t p = 0; p < sim::compare::parts.size(); ++p) {
      const auto& part = sim::compare::parts[p];
      const bool seen = std::any_of(plans_.begin(), plans_.end(), [&](const Ranked* one) {
        return one->forecast.breakdown.*part.time > one->forecast.step * 1e-3;
      });
      if (!seen) continue;
      const double width = 24 + character * static_cast<double>(part.name.size());
      if (x + width > width_) {
        x = left;
        y += legend_pitch;
      }
      out +=
          fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"10\" height=\"10\" fill=\"{}\"/>\n",
                      x, y - 9, part_colours[p]);
      out += svg_text(x + 14, y, "start", 11, part.name);
      x += width;
    }
    return {std::move(out), y + legend_pitch / 2};
  }

  std::vector<const Ranked*> plans_;
  std::string title_;
  std::int64_t tokens_ = 0;
  bool same_tokens_ = true;
  double names_width_ = 0;
  double height_ = 0;
  double bottom_ = 0;
  double width_ = 0;
};

}  // namespace

std::string comparison_svg(const Comparison& comparison, std::size_t top) {
  return Picture(comparison, top).text();
}

}  // namespace viz
