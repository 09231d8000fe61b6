#pragma once

#include <string>
#include <utility>
#include <vector>

namespace viz {

/// A small picture on logarithmic axes: points, and a line, of positive figures.
struct Panel {
  std::string title;
  std::string note;  ///< below the title
  std::vector<std::pair<double, double>> points;
  std::vector<std::pair<double, double>> line;  ///< in order of x
};

/// Panels of times over sizes, three in a row, as SVG: x in bytes, y in seconds, each panel with
/// its own range. Figures that are not positive are left out.
std::string times_svg(const std::vector<Panel>& panels, const std::string& points_name,
                      const std::string& line_name);

}  // namespace viz
