#pragma once

#include <optional>
#include <vector>

#include "base/collective.hpp"
#include "base/dtype.hpp"
#include "base/units.hpp"
#include "strategies/autoshard/prices.hpp"
#include "strategies/placement/distribution.hpp"

/// The layouts that a tensor may have on a mesh, and what it costs to get from one to another.
namespace strategies::autoshard {

struct TensorType {
  placement::Shape shape;
  base::DType dtype = base::DType::bf16;

  bool operator==(const TensorType&) const = default;
};

/// One collective, or one local copy, that turns a layout into another. All costs of longer ways
/// are sums of arcs.
struct Arc {
  int from = 0;  ///< of LayoutGraph::layouts
  int to = 0;
  base::Seconds time;                  ///< with the local copies that go with it
  std::optional<base::Collective> op;  ///< none: every rank cuts out what it keeps
  std::vector<int> mesh_dims;          ///< whose ranks talk, as one flat group
  base::Bytes bytes;                   ///< of the collective, nccl-tests convention
};

/// Layouts of R, S(d) and P(sum), with every order in which mesh dims that shard the same tensor
/// dim may cut: an order is part of the state, see placement::Layout::order.
struct LayoutGraph {
  TensorType type;
  std::vector<placement::Layout> layouts;
  std::vector<base::Bytes> local_bytes;  ///< of a rank, the largest, by layout
  std::vector<Arc> arcs;                 ///< ascending by from, then to; at most one a pair

  /// Index of a layout; -1: the tensor may not have it.
  int find(const placement::Layout& layout) const;
};

LayoutGraph make_layout_graph(const TensorType& type, const placement::Mesh& mesh,
                              const Prices& prices);

/// The cheapest way from one layout to another: indices of arcs, in order; empty when they are the
/// same. Nothing when there is none (to Partial).
std::optional<std::vector<int>> cheapest_way(const LayoutGraph& graph, int from, int to);

}  // namespace strategies::autoshard
