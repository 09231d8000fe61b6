#pragma once

#include <string>
#include <string_view>

/// What pictures are made of; internal to the module.
namespace viz {

/// Begin of a white picture of this size in pixels; the end is "</svg>\n".
std::string svg_begin(double width, double height);

/// `anchor`: "start", "middle" or "end" of the words at x. Words may be any text.
std::string svg_text(double x, double y, std::string_view anchor, int size, std::string_view words,
                     std::string_view colour = "#111");

/// `more`: further attributes, for example "stroke-dasharray=\"4 3\"".
std::string svg_line(double x1, double y1, double x2, double y2, std::string_view colour,
                     std::string_view more = "");

}  // namespace viz
