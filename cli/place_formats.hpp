#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "cli/place.hpp"

/// Placements as other programs read them.
namespace cli {

struct PlaceFormat {
  std::string_view name;
  std::string_view what;
  std::string (*write)(const PlaceJob& job, const std::vector<int>& nodes);
};

std::span<const PlaceFormat> place_formats();

}  // namespace cli
