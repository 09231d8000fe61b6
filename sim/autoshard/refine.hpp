#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "sim/autoshard/build_sharded_step.hpp"
#include "sim/timeline.hpp"

namespace sim::autoshard {

/// How a plan is found for a problem; nothing: there is none.
using Solver = std::function<std::optional<strategies::autoshard::Solution>(
    const strategies::autoshard::Problem&)>;
using Simulator = std::function<Timeline(const StepGraph&)>;

struct Refined {
  /// The plan whose simulated step is the shortest; its objective is that of the problem as it is.
  strategies::autoshard::Solution solution;
  base::Seconds step;                ///< its simulated step
  std::vector<base::Seconds> steps;  ///< of each round's plan, the first one's unchanged problem
};

/// A solver's objective is a sum: it does not know what is hidden behind kernels. So a plan is
/// simulated, each edge is paid for only as much as its collectives were exposed, and the problem
/// is solved again, until a plan comes again or for `rounds` plans. Of an edge that is seen for the
/// first time the share that was exposed counts, later the mean of that and what was believed.
/// Edges that never had a collective are believed to be exposed like the others of their kind
/// (parameters, gradients, activations); parameters and gradients of which none had any, hardly:
/// a plan shows whether that is true. The copies around a hidden collective, which are not hidden,
/// are as cheap as it in the changed problem.
///
/// \pre the solver has a solution for the problem as it is, `input.solution`.
Refined refine(const ShardedStepInput& input, const Solver& solve, const Simulator& simulate,
               int rounds);

}  // namespace sim::autoshard
