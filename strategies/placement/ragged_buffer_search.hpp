#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "strategies/placement/ragged_buffer.hpp"

/// The inside of ragged_buffer.hpp.
namespace strategies::placement {

/// Size and block of a tensor; a block is never larger than its tensor.
struct Extent {
  std::int64_t elements = 0;
  std::int64_t block = 1;

  auto operator<=>(const Extent&) const = default;
};

/// What depends on the tensors but not on their order.
class BufferSearch {
 public:
  /// \pre positive sizes, blocks, ranks and alignment; ranks * (all elements + alignment) < 2^62.
  BufferSearch(std::vector<Extent> tensors, int ranks, std::int64_t alignment);

  const std::vector<Extent>& tensors() const { return tensors_; }
  std::int64_t lower_bound() const { return lower_bound_; }
  /// The least S for `order` that is below `limit`; nothing if there is none. \pre limit is at most
  /// upper_bound() + 1.
  std::optional<std::int64_t> least_shard(const std::vector<std::size_t>& order,
                                          std::int64_t limit);
  /// An S that fits every order: all tensors in one shard.
  std::int64_t upper_bound() const { return upper_bound_; }
  /// Tensors placed in trials so far: the work done, the same on every machine.
  std::int64_t placed() const { return placed_; }
  /// Earliest starts, by tensor. \pre `shard` fits `order`.
  std::vector<std::int64_t> starts(const std::vector<std::size_t>& order, std::int64_t shard) const;

 private:
  /// S from `begin` up to `end` are possible only as multiples of `modulus`.
  struct Range {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::int64_t modulus = 1;
  };

  bool place(const std::vector<std::size_t>& order, std::int64_t shard, std::int64_t spannable,
             std::vector<std::int64_t>* starts) const;
  bool fits(const std::vector<std::size_t>& order, std::int64_t shard, std::int64_t spannable);
  std::optional<std::int64_t> least_multiple(const std::vector<std::size_t>& order,
                                             std::int64_t begin, std::int64_t end,
                                             std::int64_t modulus);
  std::optional<std::int64_t> least_in_range(const std::vector<std::size_t>& order,
                                             const Range& range, std::int64_t limit);

  std::vector<Extent> tensors_;
  int ranks_ = 1;
  std::int64_t upper_bound_ = 0;
  std::int64_t lower_bound_ = 0;
  std::int64_t placed_ = 0;
  std::vector<Range> ranges_;         ///< ascending, from the lower bound to the upper
  std::vector<std::int64_t> blocks_;  ///< distinct, of tensors larger than the lower bound
};

}  // namespace strategies::placement
