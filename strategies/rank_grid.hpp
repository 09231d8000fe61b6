#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"

namespace strategies {

/// One way in which ranks differ. The first six span the grid: every rank is one point of it. Data
/// parallel is two of them, so that HSDP (shard inside, replicate across) is an ordinary plan.
///
/// The others are the same ranks seen differently. `ulysses` and `ring` are the two parts of the
/// context axis. The expert axes divide the ranks of a pipeline stage anew for the experts of a
/// mixture, as Megatron's parallel folding does (arXiv 2504.14960): tensor parallel inside an
/// expert varies fastest, then the experts, then copies of both. `expert` is one of the six and yet
/// folds: unless the plan makes it a factor of the world, it lies inside the others.
enum class Axis : std::uint8_t {
  tensor,
  context,
  data_shard,
  data_replicate,
  pipeline,
  expert,
  ulysses,           ///< heads exchanged for tokens, inside `context`
  ring,              ///< key and value blocks passed round, inside `context`
  expert_tensor,     ///< the matrices of one expert divided
  expert_shard,      ///< copies of the same experts between which states are sharded
  expert_replicate,  ///< and copies of those
  expert_inner,      ///< part of `expert` inside a node
  expert_outer,      ///< and across nodes
};
inline constexpr int axis_count = 13;
inline constexpr int dimension_count = 6;

/// Largest degree and count of a plan that readers accept.
inline constexpr int degree_max = 1'000'000;

using AxisOrder = std::array<Axis, dimension_count>;
inline constexpr AxisOrder default_order{Axis::tensor,     Axis::expert,         Axis::context,
                                         Axis::data_shard, Axis::data_replicate, Axis::pipeline};

/// A set of axes: the ranks that differ only along these form a group.
class AxisSet {
 public:
  constexpr AxisSet() = default;
  constexpr AxisSet(Axis axis) : bits_(bit(axis)) {}  // NOLINT: an axis is a set of one
  constexpr bool has(Axis axis) const { return (bits_ & bit(axis)) != 0; }
  friend constexpr AxisSet operator|(AxisSet a, AxisSet b) { return AxisSet(a.bits_ | b.bits_); }
  constexpr bool operator==(const AxisSet&) const = default;
  constexpr auto operator<=>(const AxisSet&) const = default;
  constexpr unsigned bits() const { return bits_; }

 private:
  constexpr explicit AxisSet(unsigned bits) : bits_(bits) {}
  static constexpr unsigned bit(Axis axis) { return 1U << static_cast<unsigned>(axis); }
  unsigned bits_ = 0;
};

constexpr AxisSet operator|(Axis a, Axis b) { return AxisSet(a) | AxisSet(b); }

inline constexpr AxisSet data_parallel = Axis::data_shard | Axis::data_replicate;

/// "tp", "dp", "pp", "dp_shard", "dp_replicate", "cp", or a joined name such as "cp-dp".
std::string name_of(AxisSet axes);

/// Ranks 0 to size()-1 as points of a grid; the first axis of the order varies fastest.
class RankGrid {
 public:
  struct Extents {
    int tensor = 1;
    int context = 1;
    int data_shard = 1;
    int data_replicate = 1;
    int pipeline = 1;
    int expert = 1;  ///< as a factor of the world; 1 when experts are folded into the others
  };
  /// How the ranks are seen otherwise.
  struct Views {
    int ulysses = 1;  ///< divides `context`; the rest is `ring`
    int expert = 1;   ///< folded: divides the ranks of a stage together with expert_tensor
    int expert_tensor = 1;
    int expert_inner = 1;  ///< divides the experts' degree
  };
  using Coordinates = std::array<int, dimension_count>;

  /// All extents at least 1; `order` names each of the six dimensions once. \pre misfit() is empty.
  RankGrid(const Extents& extents, const AxisOrder& order, const Views& views);
  RankGrid(const Extents& extents, const AxisOrder& order) : RankGrid(extents, order, Views{}) {}

  /// Why the ranks cannot be seen like that, as a sentence; empty when they can.
  static std::string misfit(const Extents& extents, const AxisOrder& order, const Views& views);

  int size() const { return size_; }
  int extent(AxisSet axes) const;  ///< ranks of one group
  int coordinate(int rank, Axis axis) const;
  /// Along the six dimensions, in their order in Axis.
  Coordinates coordinates(int rank) const;
  int rank(const Coordinates& at) const;
  /// The rank that differs from `rank` only in having coordinate `value` along `axis`.
  int moved(int rank, Axis axis, int value) const;

  int group_count(AxisSet axes) const { return size_ / extent(axes); }
  /// Groups are numbered by their lowest rank, ascending.
  int group_of(int rank, AxisSet axes) const;
  /// Ranks of a group, ascending.
  std::vector<int> members(int group, AxisSet axes) const;
  /// Position of `rank` among the members of its group.
  int index_in_group(int rank, AxisSet axes) const;

 private:
  /// The grid cut so finely that every axis is a set of factors; fastest first.
  struct Factor {
    Axis dimension = Axis::tensor;
    int stride = 1;
    int extent = 1;
    bool operator==(const Factor&) const = default;
  };
  using FactorSet = std::uint32_t;

  static std::vector<Factor> dimensions(const Extents& extents, const AxisOrder& order);
  static std::string cut(std::vector<Factor>& factors, const Extents& extents, const Views& views);
  void name_axes(const Extents& extents, const Views& views);
  FactorSet factors_of(AxisSet axes) const;
  int digit(int rank, std::size_t factor) const {
    return rank / factors_[factor].stride % factors_[factor].extent;
  }

  std::vector<Factor> factors_;
  std::array<FactorSet, axis_count> factors_of_axis_{};
  int size_ = 1;
};

/// Reads "tp-cp-dp-pp" (fastest first). `dp` stands for dp_shard then dp_replicate; axes not named
/// are appended, slowest last, except that ep follows tp. The error is one sentence with a hint.
base::Result<AxisOrder> parse_rank_order(std::string_view text, const base::SourceRef& where);

}  // namespace strategies
