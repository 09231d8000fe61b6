#pragma once

#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "strategies/placement/distribution.hpp"

/// How operators run on sharded, ragged and partial tensors: which layouts their operands need and
/// which one the result has. RaggedShard is a storage placement: it survives element-wise work,
/// reductions and norms (all of an optimizer step, gradient clipping); anything else gathers first.
namespace strategies::placement {

enum class OpKind {
  copy,              ///< clone, detach, copy_: every layout, Partial too
  linear_pointwise,  ///< add, sub, neg, scaling by a number: linear in all operands together
  pointwise,         ///< any other element-wise work: mul, sqrt, gelu, an Adam step
  sum,
  mean,
  maximum,
  minimum,
  product,
  norm,                 ///< 2-norm
  nonlinear_reduction,  ///< var, sort, softmax, ...: the reduced dims whole on each rank
  opaque,               ///< mm, view, index, slice, cat of ragged tensors; anything without a rule
};

struct Op {
  OpKind kind = OpKind::opaque;
  std::vector<int> reduced_dims;  ///< of reductions; the result is without them
};

struct Operand {
  Shape shape;
  Layout layout;
};

struct OpSharding {
  /// What each operand must be redistributed to; equal to its layout where nothing is to do.
  std::vector<Layout> operands;
  Shape result_shape;  ///< empty for opaque operators: not known here
  Layout result;
};

/// Element-wise operators follow the operand of full shape with most sharded mesh dims; operands
/// are broadcast as in NumPy, and one broadcast along a sharded dim is needed whole there. Linear
/// ones keep P(sum) and P(avg), others need values.
///
/// Reductions over a sharded dim, or over any dim of a RaggedShard, give P(op), each rank reducing
/// what it holds (nothing: the neutral element); over other dims the layout stays, dims renumbered.
/// A mean over a sharded dim is local sums over the global count, P(sum): averages of unequal parts
/// would be biased, and of empty ones undefined. A pending reduction passes through its own kind.
base::Result<OpSharding> propagate(const Op& op, const std::vector<Operand>& operands,
                                   const Mesh& mesh, const base::SourceRef& where = {});

}  // namespace strategies::placement
