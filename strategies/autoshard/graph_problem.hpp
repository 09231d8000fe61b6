#pragma once

#include "strategies/autoshard/problem.hpp"
#include "strategies/autoshard/tensor_graph.hpp"
#include "strategies/plan.hpp"

namespace strategies::autoshard {

/// What of a step the graph of a micro-batch does not say.
struct ProblemOptions {
  Optimizer optimizer;
  /// Of the optimizer's states; by default its weights are the parameters, in fp32.
  Precision precision{.parameters = base::DType::fp32};
  int micro_batches = 1;
};

/// The choices of each node of `graph` on `mesh`, and what they cost. The first nodes are those of
/// the graph, in its order; the first tensors are their results. Alias nodes follow:
///
/// - "name.kept": what backward reads may be kept as it was made, and gathered again, or be
///   gathered once for both passes, and held (FSDP with and without resharding after forward).
/// - "name.read" and "name.read_backward": what several nodes of a pass read may be brought into
///   one layout for all of them, paid once, or into several.
/// - "name.accumulated", of gradients of parameters, with several micro-batches: the layout in
///   which they are added up. As contributions that are summed once, or in shares, each
///   micro-batch reduced: less memory, more traffic.
///
/// A step runs the graph once for each micro-batch, but for what ProblemNode::once says.
/// Parameters that are cast, or of which the optimizer has masters of its own, have a ".kept", held
/// over all micro-batches: ZeRO-1 and -2 if it is whole. Others are gathered for each pass.
///
/// A rank keeps parameters with all that belongs to them, and what backward reads of forward; not
/// counted are tensors that live for a few operators only.
Problem make_problem(const TensorGraph& graph, const placement::Mesh& mesh, const Prices& prices,
                     const ProblemOptions& options);

}  // namespace strategies::autoshard
