#pragma once

#include <set>
#include <vector>

#include "strategies/autoshard/problem.hpp"
#include "strategies/autoshard/tensor_graph.hpp"

namespace strategies::autoshard {

/// One copy of a node of a problem, for one operand: where it comes from.
struct Read {
  int edge = 0;    ///< of the problem
  int source = 0;  ///< of UnrolledStep::instances
  int result = 0;  ///< of the source
};

struct Instance {
  int node = 0;         ///< of the problem
  int position = 0;     ///< in TensorGraph::walk: which copy of the node it is
  int micro_batch = 0;  ///< the first, or the last, for what runs once
  int unit = 0;         ///< see UnrolledStep
  Phase phase = Phase::forward;
  /// A parameter, an input, a cast of one, or its alias: can be had at any time.
  bool early = false;
  bool of_parameter = false;  ///< early, and of parameters only
  std::vector<Read> reads;    ///< by operand
};

/// A step with all copies of all layers and all micro-batches, in the order in which a rank runs
/// them. Units, of each micro-batch: each block of the walk forward, in its order, then each
/// backward, in the reverse; last, the gradients come to rest. An alias comes right before the
/// first that reads it, a gradient is added up right behind the node that makes it. Parameters and
/// inputs come first; what is made of them for a unit (casts) at the beginning of the unit before,
/// so that it can be gathered ahead.
struct UnrolledStep {
  std::vector<Instance> instances;
  int units = 0;
};

/// Nodes at which gradients of parameters and inputs come to rest.
std::set<int> resting_gradients(const TensorGraph& graph);

/// \pre `problem` is make_problem() of `graph`.
UnrolledStep unroll(const TensorGraph& graph, const Problem& problem);

}  // namespace strategies::autoshard
