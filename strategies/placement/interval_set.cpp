#include "strategies/placement/interval_set.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace strategies::placement {

void IntervalSet::append(Interval interval) {
  if (interval.size() <= 0) return;
  size_ += interval.size();
  if (intervals_.empty() || intervals_.back().end < interval.begin) {
    intervals_.push_back(interval);
    return;
  }
  CHECK_INVARIANT(intervals_.back().end == interval.begin);
  intervals_.back().end = interval.end;
}

IntervalSet IntervalSet::slice(Interval range) const {
  CHECK_INVARIANT(0 <= range.begin && range.begin <= range.end && range.end <= size_);
  IntervalSet part;
  std::int64_t before = 0;
  for (const Interval& interval : intervals_) {
    if (before >= range.end) break;
    const std::int64_t from = std::max(range.begin - before, std::int64_t{0});
    const std::int64_t to = std::min(range.end - before, interval.size());
    part.append({interval.begin + from, interval.begin + to});
    before += interval.size();
  }
  return part;
}

std::int64_t overlap(const IntervalSet& a, const IntervalSet& b) {
  std::int64_t common = 0;
  auto x = a.intervals().begin();
  auto y = b.intervals().begin();
  while (x != a.intervals().end() && y != b.intervals().end()) {
    common += std::max(std::min(x->end, y->end) - std::max(x->begin, y->begin), std::int64_t{0});
    if (x->end < y->end)
      ++x;
    else
      ++y;
  }
  return common;
}

IntervalSet union_of(std::vector<Interval> intervals) {
  std::sort(intervals.begin(), intervals.end(),
            [](const Interval& a, const Interval& b) { return a.begin < b.begin; });
  IntervalSet set;
  std::int64_t end = 0;
  for (const Interval& interval : intervals) {
    const bool first = set.size() == 0;
    set.append({first ? interval.begin : std::max(interval.begin, end), interval.end});
    if (interval.size() > 0) end = first ? interval.end : std::max(end, interval.end);
  }
  return set;
}

Interval chunk(std::int64_t size, std::int64_t count, std::int64_t index) {
  CHECK_INVARIANT(size >= 0 && 0 <= index && index < count);
  const std::int64_t part = size / count + (size % count > 0 ? 1 : 0);
  // Parts beyond the end: `index * part` could leave the range of 64 bits.
  if (part > 0 && index >= size / part + 1) return {size, size};
  return {std::min(index * part, size), std::min(index * part + part, size)};
}

Interval even_part(std::int64_t size, std::int64_t count, std::int64_t index) {
  CHECK_INVARIANT(size >= 0 && 0 <= index && index < count);
  const std::int64_t part = size / count;
  const std::int64_t larger = size % count;
  const std::int64_t begin = index * part + std::min(index, larger);
  return {begin, begin + part + (index < larger ? 1 : 0)};
}

}  // namespace strategies::placement
