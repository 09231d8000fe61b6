#pragma once

#include "strategies/autoshard/problem.hpp"
#include "strategies/autoshard/tensor_graph.hpp"

namespace strategies::autoshard {

struct ProblemOptions {
  /// Of a parameter's element, beside itself and its gradient: fp32 moments of Adam.
  double optimizer_bytes = 8;
  /// What backward reads may be kept as the readers in forward got it, too: gathered once, and held
  /// (FSDP without resharding after forward). Else it is kept as it was made, and gathered again.
  bool keep_gathered = false;
};

/// The choices of each node of `graph` on `mesh`, and what they cost. The first nodes are those of
/// the graph, in its order; the first tensors are their results.
///
/// A tensor that several nodes of a phase read is read through an alias node, which may get it in
/// one layout for all of them, paid once. Forward and backward have aliases of their own.
Problem make_problem(const TensorGraph& graph, const placement::Mesh& mesh, const Prices& prices,
                     const ProblemOptions& options);

}  // namespace strategies::autoshard
