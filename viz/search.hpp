#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <utility>
#include <vector>

#include "sim/search/summary.hpp"

namespace viz {

/// What became of the plans of a search, as (word, sentence).
std::vector<std::pair<std::string, std::string>> search_lines(const sim::search::Summary& summary);

nlohmann::ordered_json search_json(const sim::search::Summary& summary);

}  // namespace viz
