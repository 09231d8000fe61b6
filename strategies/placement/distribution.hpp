#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"
#include "strategies/placement/element_set.hpp"
#include "strategies/placement/mesh.hpp"
#include "strategies/placement/placement.hpp"

/// A layout made exact: which elements of a tensor each rank holds.
namespace strategies::placement {

/// What one rank holds.
struct Piece {
  /// Sizes of the local tensor. Under a RaggedShard its dims are one (rows for one dim, elements
  /// for more), and a rank without any is {0}.
  Shape local_shape;
  /// Elements in the order of the local tensor, which is row-major.
  ElementSet elements;
  /// Elements that lower ranks hold of the local tensor that a RaggedShard cuts: where this piece
  /// begins in an all-gather's buffer. 0 without RaggedShard.
  std::int64_t ragged_offset = 0;
};

/// Every way in which `layout` cannot hold a tensor of `shape` on `mesh`. A RaggedShard needs: as
/// many units as ranks, some unit above 0, dims 0 to p-1, a prefix of every local tensor that
/// divides into sum(units) (divisibility of the elements alone is not enough: a cut would go
/// through a row), and one holder when it has no dims. Pending reductions must commute: of one
/// kind, or sums and averages.
base::Diagnostics check_layout(const Layout& layout, const Shape& shape, const Mesh& mesh,
                               const base::SourceRef& where = {});

/// The pieces of all ranks. Shards cut in shard order, each what the ones before left to its rank;
/// a RaggedShard comes last. Partial ranks hold a contribution to every element.
base::Result<std::vector<Piece>> distribute(const Layout& layout, const Shape& shape,
                                            const Mesh& mesh, const base::SourceRef& where = {});

/// Layouts of R and S(dim) that AutoParallel considers for a tensor: shard after shard, the size
/// left of a dim (rounded up) is at least the mesh dim. Mesh dims vary fastest last, R before S(0).
std::vector<Layout> enumerate_layouts(const Shape& shape, const Mesh& mesh);

}  // namespace strategies::placement
