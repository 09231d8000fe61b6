#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/diagnostic.hpp"

/// How a tensor lies on a device mesh, in DTensor's terms (PyTorch; veScale, arXiv 2509.07003),
/// with the RaggedShard of veScale-FSDP (arXiv 2602.22437).
namespace strategies::placement {

/// Every rank along the mesh dim has a copy.
struct Replicate {
  bool operator==(const Replicate&) const = default;
};

/// Tensor dim `dim` in parts as torch.chunk cuts it.
struct Shard {
  int dim = 0;
  bool operator==(const Shard&) const = default;
};

/// Tensor dim `dim` is first chunked into `split_factor` parts, then each of them over the ranks: a
/// rank holds one piece of every part. With `split_factor` the extent of a later mesh dim that
/// shards the same dim, this is the later mesh dim cutting first.
struct StridedShard {
  int dim = 0;
  std::int64_t split_factor = 1;
  bool operator==(const StridedShard&) const = default;
};

/// Tensor dim `dim` is `groups` equal parts side by side (fused QKV, gate and up), each chunked
/// over the ranks.
struct InterleavedShard {
  int dim = 0;
  std::int64_t groups = 1;
  bool operator==(const InterleavedShard&) const = default;
};

/// How contributions of ranks become one value; `norm` is the root of the sum of squares.
enum class Reduction : std::uint8_t { sum, avg, max, min, product, norm };

inline constexpr std::array<std::pair<std::string_view, Reduction>, 6> reduction_names{{
    {"sum", Reduction::sum},
    {"avg", Reduction::avg},
    {"max", Reduction::max},
    {"min", Reduction::min},
    {"product", Reduction::product},
    {"norm", Reduction::norm},
}};

std::string_view name_of(Reduction reduction);

/// Every rank along the mesh dim has a contribution; the reduction is still due.
struct Partial {
  Reduction op = Reduction::sum;
  bool operator==(const Partial&) const = default;
};

/// The first dims of the tensor, flattened row-major, in runs: rank r has `units[r]` of sum(units)
/// equal shares. `dims` is 0, 1, ..., p-1; without dims the tensor is whole on the one rank that
/// has a unit (the root). Units are relative. Cuts what all other mesh dims leave, wherever it
/// stands in the list.
struct RaggedShard {
  std::vector<int> dims;
  std::vector<std::int64_t> units;
  bool operator==(const RaggedShard&) const = default;
};

using Placement =
    std::variant<Replicate, Shard, StridedShard, InterleavedShard, Partial, RaggedShard>;

/// The tensor dim that a Shard, StridedShard or InterleavedShard cuts.
std::optional<int> sharded_dim(const Placement& placement);
bool is_ragged(const Placement& placement);
bool is_replicate(const Placement& placement);
/// The reduction that a Partial waits for.
std::optional<Reduction> pending(const Placement& placement);

/// One placement per mesh dim.
struct Layout {
  std::vector<Placement> placements;
  /// Mesh dims in the order in which they cut, outermost first: matters among those that shard the
  /// same tensor dim. Empty: as they stand.
  std::vector<int> order;

  bool operator==(const Layout&) const = default;
};

/// The mesh dims in the order in which they cut; `order`, or 0, 1, ....
std::vector<int> shard_order(const Layout& layout);

/// "R", "S(0)", "Strided(0; 4)", "Interleaved(0; 2)", "P(sum)", "Ragged(0,1; 1,2,1,1)".
std::string format(const Placement& placement);
/// Placements joined by ", ". Where the shards of a tensor dim do not cut in the order in which
/// they stand, each says in brackets when its turn is, as in PyTorch: "S(0)[1], S(0)[0]".
std::string format(const Layout& layout);

/// Reads what format() writes; commas between placements, spaces, and "(sum)" may be left out. Says
/// at which character of the text it stopped.
base::Result<Layout> parse_layout(std::string_view text, const base::SourceRef& where = {});

}  // namespace strategies::placement
