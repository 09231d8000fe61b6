#pragma once

#include <string>
#include <vector>

#include "base/units.hpp"
#include "sim/step_graph.hpp"

/// What pictures of a step over time have in common: ranks of one program do the same, so the
/// lowest of them stands for all.
namespace viz {

/// A program drawn by its lowest rank.
struct ShownProgram {
  int program = 0;
  int rank = 0;
  int ranks = 0;
};

/// Programs that a rank has, in the order of the graph.
std::vector<ShownProgram> shown_programs(const sim::StepGraph& graph);

/// What a task other than a segment moves.
struct Moved {
  std::string name;
  base::Bytes bytes;
  sim::CommKind kind = sim::CommKind::pipeline;
};

/// \pre `task` is no segment
Moved moved_by(const sim::StepGraph& graph, const sim::Task& task);

}  // namespace viz
