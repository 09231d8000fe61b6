#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/units.hpp"
#include "sim/step_graph.hpp"
#include "sim/timeline.hpp"

namespace sim {

/// A task that the step waited for.
struct PathStep {
  int rank = 0;            ///< the lowest of its program where that one did the same
  std::uint32_t task = 0;  ///< of the rank's program
  double begin = 0;        ///< seconds
  double end = 0;
  double waited = 0;  ///< seconds before it in which nothing that is known of ran
};

/// The chain of tasks that the step waited for, first to last: a task begins when the last of what
/// it depends on has ended, a collective when the last of its members has come, and what is
/// received ends with what was sent. Lengths and waits add up to `timeline.step`.
std::vector<PathStep> critical_path(const StepGraph& graph, const Timeline& timeline);

/// Time of a critical path by what it was spent on and where.
struct PathPart {
  std::string kind;        ///< name of a Phase or of a CommKind, "slowed" or "wait"
  std::string rank_class;  ///< name of the program
  int spans = 0;
  base::Seconds time;
  base::Seconds unseen;  ///< of it, on ranks that differ from the lowest of their program
};

/// Largest first. Segments are divided as the breakdown divides them: kernels at their price, then
/// what collectives beside them cost them, then collectives. Times add up to `timeline.step`.
std::vector<PathPart> parts_of(const std::vector<PathStep>& path, const StepGraph& graph,
                               const Timeline& timeline);

}  // namespace sim
