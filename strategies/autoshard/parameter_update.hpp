#pragma once

#include <vector>

#include "base/kernel.hpp"
#include "strategies/autoshard/layout_graph.hpp"
#include "strategies/autoshard/prices.hpp"
#include "strategies/autoshard/tensor_graph.hpp"
#include "strategies/plan.hpp"

/// What an optimizer keeps of a parameter in some layout, and what its step costs a rank.
namespace strategies::autoshard {

/// Of all copies of a parameter.
struct ParameterUpdate {
  double state_bytes = 0;  ///< with master weights, where these are not the parameters
  /// Muon, of matrices that are cut: after these kernels the ranks along `mesh_dims` exchange
  /// `exchanged` bytes (the send buffer of an all-to-all), so that each has some matrices whole,
  /// and behind `kernels` as many of updates.
  std::vector<base::Kernel> before;
  base::Bytes exchanged;
  std::vector<int> mesh_dims;
  std::vector<base::Kernel> kernels;
};

/// Whether a parameter stands between hidden states: neither in an embedding nor in front of the
/// loss. Muon leaves the others to AdamW.
bool between_hidden_states(const TensorGraph& graph, int parameter);

/// Whether the optimizer has weights of its own beside the parameters.
bool has_masters(const Precision& precision);

/// See strategies::optimizer_work. Each rank updates what it has: a piece of a matrix is a matrix.
/// Only Muon needs them whole. \pre a parameter of the graph, of 1 to 3 dims; of 3, the first
/// counts matrices. No sum is pending in the layout.
ParameterUpdate parameter_update(const TensorGraph& graph, int parameter,
                                 const placement::Layout& layout, const placement::Mesh& mesh,
                                 const Optimizer& optimizer, const Precision& precision);

/// On one rank, one after the other.
base::Seconds time_of(const ParameterUpdate& update, const Prices& prices);

}  // namespace strategies::autoshard
