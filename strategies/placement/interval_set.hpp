#pragma once

#include <cstdint>
#include <vector>

namespace strategies::placement {

/// Whole numbers from `begin` up to, not with, `end`.
struct Interval {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  std::int64_t size() const { return end - begin; }
  bool operator==(const Interval&) const = default;
};

/// A set of whole numbers as sorted intervals that do not touch.
class IntervalSet {
 public:
  IntervalSet() = default;
  explicit IntervalSet(Interval interval) { append(interval); }

  /// \pre nothing in the set lies at or after `interval.begin`. Empty intervals add nothing.
  void append(Interval interval);

  const std::vector<Interval>& intervals() const { return intervals_; }
  std::int64_t size() const { return size_; }
  /// The members number `range.begin` up to `range.end`, counted from the least.
  /// \pre 0 <= range.begin <= range.end <= size().
  IntervalSet slice(Interval range) const;

  bool operator==(const IntervalSet&) const = default;

 private:
  std::vector<Interval> intervals_;
  std::int64_t size_ = 0;
};

/// Members common to both. Linear in the number of intervals.
std::int64_t overlap(const IntervalSet& a, const IntervalSet& b);
/// The union of intervals in any order, overlapping or not.
IntervalSet union_of(std::vector<Interval> intervals);

/// Part `index` of `count` of [0, size) as torch.chunk cuts it: each part has ceil(size / count),
/// then the rest, then nothing. \pre size >= 0, 0 <= index < count.
Interval chunk(std::int64_t size, std::int64_t count, std::int64_t index);

/// Part `index` of `count` parts whose sizes differ by at most one. \pre as of chunk().
Interval even_part(std::int64_t size, std::int64_t count, std::int64_t index);

}  // namespace strategies::placement
