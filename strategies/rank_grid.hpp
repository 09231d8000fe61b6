#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"

namespace strategies {

/// One way in which ranks differ. Data parallel is two axes, so that HSDP (shard inside,
/// replicate across) is an ordinary plan; together they are the data-parallel group.
enum class Axis : std::uint8_t { tensor, context, data_shard, data_replicate, pipeline };
inline constexpr int axis_count = 5;

/// A set of axes: the ranks that differ only along these form a group.
class AxisSet {
 public:
  constexpr AxisSet() = default;
  constexpr AxisSet(Axis axis) : bits_(bit(axis)) {}  // NOLINT: an axis is a set of one
  constexpr bool has(Axis axis) const { return (bits_ & bit(axis)) != 0; }
  constexpr AxisSet operator|(AxisSet o) const { return AxisSet(bits_ | o.bits_); }
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
  using Coordinates = std::array<int, axis_count>;

  /// Extents indexed by Axis, all at least 1; `order` names every axis once.
  RankGrid(std::array<int, axis_count> extents, std::array<Axis, axis_count> order);

  int size() const { return size_; }
  int extent(Axis axis) const { return extents_[static_cast<std::size_t>(axis)]; }
  int extent(AxisSet axes) const;  ///< ranks of one group
  int coordinate(int rank, Axis axis) const {
    const auto i = static_cast<std::size_t>(axis);
    return rank / strides_[i] % extents_[i];
  }
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
  std::array<int, axis_count> extents_;
  std::array<Axis, axis_count> order_;
  std::array<int, axis_count> strides_{};
  int size_ = 1;
};

/// Reads "tp-cp-dp-pp" (fastest first). `dp` stands for dp_shard then dp_replicate; axes not named
/// are appended, slowest last. The error is one sentence with a hint.
base::Result<std::array<Axis, axis_count>> parse_rank_order(std::string_view text,
                                                            const base::SourceRef& where);

}  // namespace strategies
