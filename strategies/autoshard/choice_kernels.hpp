#pragma once

#include <vector>

#include "base/kernel.hpp"
#include "strategies/autoshard/problem.hpp"
#include "strategies/autoshard/tensor_graph.hpp"

namespace strategies::autoshard {

/// What a rank runs for the choice that a problem has of `node`: of the shardings that have its
/// layouts, the fastest. \pre `problem` is make_problem() of `graph`; a node of the graph.
std::vector<base::Kernel> kernels_of(const TensorGraph& graph, const Problem& problem, int node,
                                     const Choice& choice, const placement::Mesh& mesh,
                                     const Prices& prices);

}  // namespace strategies::autoshard
