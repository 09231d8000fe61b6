#pragma once

#include <string>

namespace cli {

/// Has Graphviz's `dot` draw `dot` text into an SVG file. Throws base::EnvironmentError when the
/// program is missing or fails.
void write_svg(const std::string& path, const std::string& dot);

}  // namespace cli
