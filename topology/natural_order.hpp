#pragma once

#include <string_view>

namespace topology {

/// node-2 before node-10: runs of digits compare as numbers, all else byte by byte.
bool natural_less(std::string_view a, std::string_view b);

}  // namespace topology
