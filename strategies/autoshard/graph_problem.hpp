#pragma once

#include "strategies/autoshard/problem.hpp"
#include "strategies/autoshard/tensor_graph.hpp"

namespace strategies::autoshard {

struct ProblemOptions {
  /// Of a parameter's element, beside itself and its gradient: fp32 moments of Adam.
  double optimizer_bytes = 8;
  /// What its update moves: AdamW reads it, its gradient and moments, and writes all but the
  /// gradient, in fp32. Priced as a kernel for each parameter: part of the choice of its layout.
  double update_traffic = 28;
};

/// The choices of each node of `graph` on `mesh`, and what they cost. The first nodes are those of
/// the graph, in its order; the first tensors are their results. Alias nodes follow:
///
/// - "name.kept": what backward reads may be kept as it was made, and gathered again, or be
/// gathered
///   once for both passes, and held (FSDP with and without resharding after forward).
/// - "name.read" and "name.read_backward": what several nodes of a pass read may be brought into
/// one
///   layout for all of them, paid once, or into several.
///
/// A parameter that is not cast is gathered for each pass. A rank keeps parameters with all that
/// belongs to them, and what backward reads of forward; not counted are tensors that live for a few
/// operators only.
Problem make_problem(const TensorGraph& graph, const placement::Mesh& mesh, const Prices& prices,
                     const ProblemOptions& options);

}  // namespace strategies::autoshard
