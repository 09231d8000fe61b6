#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "strategies/autoshard/problem.hpp"

/// The part of a model's problem that one pipeline stage runs.
namespace strategies::autoshard {

/// A run of equal layers, in the order of the forward pass: the name of a node up to its first dot.
struct Block {
  std::string name;
  int copies = 1;
};

std::vector<Block> blocks_of(const Problem& problem);

/// The problem with so many copies of each block (none: left out), and `in_flight` micro-batches
/// between their forward and their backward. Edges between copies of a block stay, less those of
/// the copies that are gone; what comes from another stage comes in whatever layout suits. Nothing:
/// a parameter is read in a block that is there and made in one that is not (tied embeddings).
std::optional<Problem> stage_problem(const Problem& problem,
                                     const std::map<std::string, int>& copies, int in_flight);

}  // namespace strategies::autoshard
