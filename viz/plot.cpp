#include "viz/plot.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string_view>

#include "viz/svg.hpp"

namespace viz {

namespace {

constexpr double panel_width = 380;
constexpr double panel_height = 280;
constexpr double left = 56;  // of the axes within a panel
constexpr double right = 14;
constexpr double top = 44;
constexpr double bottom = 30;
constexpr double legend = 30;
constexpr std::size_t columns = 3;
constexpr std::string_view points_colour = "#c2410c";
constexpr std::string_view line_colour = "#1d4ed8";

/// Logarithms of one axis, mapped to pixels.
struct Axis {
  double least = 0;
  double most = 1;
  double from = 0;  ///< pixel of `least`
  double to = 1;

  double at(double value) const {
    return from + (std::log10(value) - least) / (most - least) * (to - from);
  }
};

Axis axis_of(const Panel& panel, double std::pair<double, double>::*part, double from, double to) {
  Axis axis{std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(), from,
            to};
  for (const auto* series : {&panel.points, &panel.line})
    for (const auto& point : *series) {
      if (!(point.first > 0 && point.second > 0)) continue;
      axis.least = std::min(axis.least, std::log10(point.*part));
      axis.most = std::max(axis.most, std::log10(point.*part));
    }
  if (!(axis.most >= axis.least)) axis.least = axis.most = 0;
  const double margin = std::max(0.1, 0.04 * (axis.most - axis.least));
  axis.least -= margin;
  axis.most += margin;
  return axis;
}

/// "64 KiB": whole powers of 1024.
std::string size_name(int power) {
  constexpr std::array<std::string_view, 6> units{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  return fmt::format("{} {}", 1 << (power % 10), units[static_cast<std::size_t>(power / 10)]);
}

std::string time_name(int decade) {
  constexpr std::array<std::pair<int, std::string_view>, 4> units{
      {{0, "s"}, {-3, "ms"}, {-6, "us"}, {-9, "ns"}}};
  for (const auto& [unit, name] : units)
    if (decade >= unit || unit == -9)
      return fmt::format("{:g} {}", std::pow(10.0, decade - unit), name);
  return {};
}

/// Vertical lines at powers of 2, so many apart that at most seven fit.
std::string size_ticks(const Axis& x, const Axis& y) {
  std::string out;
  const int first = std::max(0, static_cast<int>(std::ceil(x.least / std::log10(2.0))));
  const int last = std::min(59, static_cast<int>(std::floor(x.most / std::log10(2.0))));
  const int step = std::max(1, (last - first + 5) / 6);
  for (int power = first; power <= last; power += step) {
    const double at = x.at(std::pow(2.0, power));
    out += fmt::format(
        "<line x1=\"{0:.1f}\" y1=\"{1:.1f}\" x2=\"{0:.1f}\" y2=\"{2:.1f}\" stroke=\"#ddd\"/>\n", at,
        y.from, y.to);
    out += svg_text(at, y.from + 14, "middle", 9, size_name(power), "#555");
  }
  return out;
}

std::string time_ticks(const Axis& x, const Axis& y) {
  std::string out;
  for (int decade = static_cast<int>(std::ceil(y.least));
       decade <= static_cast<int>(std::floor(y.most)); ++decade) {
    const double at = y.at(std::pow(10.0, decade));
    out += fmt::format(
        "<line x1=\"{0:.1f}\" y1=\"{2:.1f}\" x2=\"{1:.1f}\" y2=\"{2:.1f}\" stroke=\"#ddd\"/>\n",
        x.from, x.to, at);
    out += svg_text(x.from - 5, at + 3, "end", 9, time_name(decade), "#555");
  }
  return out;
}

std::string drawn(const Panel& panel, double x0, double y0) {
  using Point = std::pair<double, double>;
  const Axis x = axis_of(panel, &Point::first, x0 + left, x0 + panel_width - right);
  const Axis y = axis_of(panel, &Point::second, y0 + panel_height - bottom, y0 + top);
  std::string out = svg_text(x0 + left, y0 + 16, "start", 11, panel.title);
  out += svg_text(x0 + left, y0 + 31, "start", 10, panel.note, "#555");
  out += size_ticks(x, y) + time_ticks(x, y);
  out += fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" fill=\"none\" "
      "stroke=\"#999\"/>\n",
      x.from, y.to, x.to - x.from, y.from - y.to);
  const auto visible = [](const Point& point) { return point.first > 0 && point.second > 0; };
  std::string path;
  for (const Point& point : panel.line)
    if (visible(point))
      path += fmt::format("{:.1f},{:.1f} ", x.at(point.first), y.at(point.second));
  out += fmt::format("<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"1.5\"/>\n",
                     path, line_colour);
  for (const Point& point : panel.points)
    if (visible(point))
      out += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"2.6\" fill=\"{}\"/>\n",
                         x.at(point.first), y.at(point.second), points_colour);
  return out;
}

}  // namespace

std::string times_svg(const std::vector<Panel>& panels, const std::string& points_name,
                      const std::string& line_name) {
  const std::size_t across = std::clamp<std::size_t>(panels.size(), 1, columns);
  const std::size_t down = (panels.size() + columns - 1) / columns;
  const double width = static_cast<double>(across) * panel_width;
  const double height = static_cast<double>(down) * panel_height + legend;
  std::string out = svg_begin(width, height);
  out +=
      fmt::format("<circle cx=\"{:.0f}\" cy=\"16\" r=\"3\" fill=\"{}\"/>\n", left, points_colour);
  out += svg_text(left + 8, 20, "start", 11, points_name);
  out += fmt::format(
      "<line x1=\"{:.0f}\" y1=\"16\" x2=\"{:.0f}\" y2=\"16\" stroke=\"{}\" "
      "stroke-width=\"1.5\"/>\n",
      left + 100, left + 124, line_colour);
  out += svg_text(left + 130, 20, "start", 11, line_name);
  for (std::size_t i = 0; i < panels.size(); ++i)
    out += drawn(panels[i], static_cast<double>(i % columns) * panel_width,
                 static_cast<double>(i / columns) * panel_height + legend);
  return out + "</svg>\n";
}

}  // namespace viz
