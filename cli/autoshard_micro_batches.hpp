#pragma once

#include <optional>
#include <string>
#include <tl/expected.hpp>
#include <vector>

#include "cli/autoshard_problem.hpp"
#include "viz/sharding.hpp"

namespace cli {

/// Why there is no solution, in a few words.
std::string reason_of(const strategies::autoshard::NoSolution& none);

struct BestCut {
  std::vector<viz::MicroBatchTrial> trials;  ///< fewest micro-batches first
  tl::expected<strategies::autoshard::Solution, strategies::autoshard::Conflict> answer;
};

/// Tries the problem's choices of micro-batches and leaves it cut into those with the quickest
/// step, of equal ones the fewest. Those that fit when memory is free come first; of the others
/// each is sought only as far as it can still be quicker, the most micro-batches first, which need
/// least. Prints mistakes and leaves.
BestCut cut_batch_best(AutoshardProblem& problem);

}  // namespace cli
