#pragma once

#include <vector>

#include "base/kernel.hpp"
#include "strategies/autoshard/problem.hpp"
#include "strategies/autoshard/tensor_graph.hpp"

namespace strategies::autoshard {

/// Adds a gradient to what earlier micro-batches have left of it, as Megatron-LM's main_grad: reads
/// both, and writes the sum. `local`: bytes that a rank has of it.
base::Kernel accumulation_kernel(base::Bytes local);

/// What a rank runs for the choice that a problem has of `node`: of the shardings that have its
/// layouts, the fastest. \pre `problem` is make_problem() of `graph`.
std::vector<base::Kernel> kernels_of(const TensorGraph& graph, const Problem& problem, int node,
                                     const Choice& choice, const placement::Mesh& mesh,
                                     const Prices& prices);

}  // namespace strategies::autoshard
