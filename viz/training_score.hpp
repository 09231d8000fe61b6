#pragma once

#include <string>

#include "sim/training/score.hpp"

namespace viz {

/// "foreshard.score.v1" with more keys: memory, verdicts, choice of plans, and of every row the
/// parts of its step.
std::string training_score_json(const sim::training::Score& score);

/// The figures that matter first, then every regime, then the rows furthest off.
std::string training_score_text(const sim::training::Score& score);

}  // namespace viz
