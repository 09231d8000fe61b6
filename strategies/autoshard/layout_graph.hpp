#pragma once

#include <cstdint>
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

/// One collective that turns a layout into another, or a cut that needs none. All costs of longer
/// ways are sums of arcs.
struct Arc {
  int from = 0;  ///< of LayoutGraph::layouts
  int to = 0;
  base::Seconds time;                  ///< with the local copies that go with it
  std::optional<base::Collective> op;  ///< none: every rank cuts out what it keeps
  std::vector<int> mesh_dims;          ///< whose ranks talk, as one flat group
  base::Bytes bytes;                   ///< of the collective, nccl-tests convention
  bool packs = false;    ///< what is sent is copied together before: a pass over the local tensor
  bool unpacks = false;  ///< what has come is put in its place: a pass over the new local tensor
};

/// Layouts of R, S(d) and P(sum), with every order in which mesh dims that shard the same tensor
/// dim may cut: an order is part of the state, see placement::Layout::order.
struct LayoutGraph {
  TensorType type;
  std::vector<placement::Layout> layouts;
  std::vector<base::Bytes> local_bytes;  ///< of a rank, the largest, by layout
  std::vector<Arc> arcs;                 ///< ascending by from, then to; at most one a pair
  std::vector<int> first_arc;            ///< by layout, into arcs; layouts + 1 entries

  /// Index of a layout, whatever order it names for mesh dims between which none matters; -1: the
  /// tensor may not have it.
  int find(const placement::Layout& layout) const;
};

/// Layouts: per mesh dim R, S(0), S(1), ... or P(sum); shard after shard, in the order in which
/// they cut, the size left of the tensor dim (rounded up) is at least the mesh dim, as AutoParallel
/// has it. Left out: strided, interleaved and ragged shards, other reductions, and shards over a
/// mesh dim of one rank, where R says it all.
///
/// Arcs, over each set of mesh dims as one flat group: all-gather of shards; all-reduce and
/// reduce-scatter of sums; all-to-all from shards to others; and, over one mesh dim, the cut of a
/// copy. Only the last cuts of a tensor dim can be undone or moved, for only then do the pieces of
/// a group make up the piece of those before: S(0)[1], S(0)[0] becomes R, S(0) by an all-gather
/// over mesh dim 0, S(0), S(0) does not. Nothing leads to P(sum). Unequal shards count as padded to
/// the largest. Each distinct collective and copy is priced once.
///
/// \pre at most 3 mesh dims: with 4, a tensor of 3 dims would have 1,240 layouts.
LayoutGraph make_layout_graph(const TensorType& type, const placement::Mesh& mesh,
                              const Prices& prices);

/// Largest piece of a rank.
placement::Shape local_shape(const placement::Layout& layout, const placement::Shape& shape,
                             const placement::Mesh& mesh);

/// Which arcs a way may take.
enum class Travel : std::uint8_t {
  any,
  still,  ///< without collectives
};

/// The cheapest ways from one layout to every other.
struct Ways {
  std::vector<base::Seconds> time;  ///< by layout; infinite: there is none
  std::vector<int> last_arc;        ///< by layout, of its way; -1: the start, or no way

  bool reaches(int to) const {
    return time[static_cast<std::size_t>(to)] < base::Seconds::infinity();
  }
};

/// Of equally cheap ways the one with fewest arcs. O(layouts^2 + arcs), see tests/benchmark.
Ways cheapest_ways(const LayoutGraph& graph, int from, Travel travel = Travel::any);

/// Arcs of the way to `to`, in order; empty at the start. \pre it reaches `to`.
std::vector<int> arcs_to(const LayoutGraph& graph, const Ways& ways, int to);

}  // namespace strategies::autoshard
