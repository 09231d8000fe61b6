#pragma once

#include <string>

#include "cli/autoshard_problem.hpp"

namespace cli {

struct StagesAnswer {
  std::string text;
  std::string json;  ///< "foreshard.autoshard_stages.v1"
};

/// Cuts the model into pipeline stages, each sharded at its best on a mesh of its own. Prints
/// mistakes and leaves.
StagesAnswer autoshard_stages(const AutoshardProblem& whole, int stages);

}  // namespace cli
