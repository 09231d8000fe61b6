#pragma once

#include <functional>
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

/// What a stage has from its neighbours.
struct StageMessages {
  /// Until every rank has a message of so many bytes from its like in the stage before, behind.
  std::function<base::Seconds(base::Bytes)> from_before;
  std::function<base::Seconds(base::Bytes)> from_behind;
};

/// Nodes of a stage at its ends; none: there is no stage on that side.
struct StageEnds {
  std::optional<int> activation_in;
  std::optional<int> activation_out;
  std::optional<int> gradient_in;
  std::optional<int> gradient_out;
};

struct StageProblem {
  Problem problem;
  StageEnds ends;
};

/// The problem with so many copies of each block (none: left out), and `in_flight` micro-batches
/// between their forward and their backward. Edges between copies of a block stay, less those of
/// the copies that are gone. What comes from another stage comes in the layout that suits, for the
/// time of its message: whoever receives pays. What goes to another stage is no pending sum.
/// Nothing: a parameter is read in a block that is there and made in one that is not (tied
/// embeddings).
std::optional<StageProblem> stage_problem(const Problem& problem,
                                          const std::map<std::string, int>& copies, int in_flight,
                                          const StageMessages& messages);

}  // namespace strategies::autoshard
