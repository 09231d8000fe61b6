#pragma once

#include <string>

#include "base/score.hpp"

namespace viz {

/// "foreshard.score.v1", the keys of the contract; figures that make no sense for a table are null.
std::string score_json(const base::Score& score);

/// The overall figures, then those of every class, as a table.
std::string score_text(const base::Score& score);

}  // namespace viz
