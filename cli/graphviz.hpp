#pragma once

#include <string>

namespace cli {

/// Has Graphviz's `dot` draw `dot` text into a file of a format that it knows ("svg", "png").
/// Throws base::EnvironmentError when the program is missing or fails.
void write_picture(const std::string& path, const std::string& format, const std::string& dot);

}  // namespace cli
