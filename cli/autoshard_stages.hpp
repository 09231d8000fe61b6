#pragma once

#include <string>

#include "cli/autoshard_problem.hpp"

namespace cli {

struct StagesAnswer {
  std::string text;
  std::string json;  ///< "foreshard.autoshard_stages.v1"
};

/// Cuts the model into pipeline stages, each sharded at its best on a mesh of its own, with the
/// number of micro-batches that is best if `options` says none. Prints mistakes and leaves.
StagesAnswer autoshard_stages(AutoshardProblem& whole, const AutoshardOptions& options);

}  // namespace cli
