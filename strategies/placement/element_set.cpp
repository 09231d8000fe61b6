#include "strategies/placement/element_set.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace strategies::placement {

namespace {

/// Elements between neighbours along each dim.
Shape strides_of(const Shape& shape) {
  Shape strides(shape.size(), 1);
  for (std::size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

std::int64_t overlap(const IndexProduct& a, const IndexProduct& b) {
  std::int64_t common = 1;
  for (std::size_t d = 0; d < a.dims.size() && common > 0; ++d)
    common *= overlap(a.dims[d], b.dims[d]);
  return common;
}

/// Calls `visit` with every combination of one interval of each dim, last dim fastest.
template <class Visit>
void for_each_box(const IndexProduct& product, const Visit& visit) {
  std::vector<std::size_t> at(product.dims.size(), 0);
  while (true) {
    Box box;
    for (std::size_t d = 0; d < at.size(); ++d) {
      const Interval& interval = product.dims[d].intervals()[at[d]];
      box.offset.push_back(interval.begin);
      box.size.push_back(interval.size());
    }
    visit(std::move(box));
    std::size_t d = at.size();
    while (d > 0 && ++at[d - 1] == product.dims[d - 1].intervals().size()) at[--d] = 0;
    if (d == 0) return;
  }
}

}  // namespace

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return count;
}

std::vector<Box> boxes_of(Interval interval, const Shape& shape) {
  CHECK_INVARIANT(0 <= interval.begin && interval.begin <= interval.end &&
                  interval.end <= element_count(shape));
  const Shape strides = strides_of(shape);
  std::vector<Box> boxes;
  for (std::int64_t at = interval.begin; at < interval.end;) {
    Box box{Shape(shape.size(), 0), Shape(shape.size(), 1)};
    if (shape.empty()) return {box};
    // The outermost dim along which a whole step starts here and fits.
    std::size_t level = 0;
    while (at % strides[level] != 0 || at + strides[level] > interval.end) ++level;
    std::int64_t rest = at;
    for (std::size_t d = 0; d <= level; ++d) {
      box.offset[d] = rest / strides[d];
      rest %= strides[d];
    }
    for (std::size_t d = level + 1; d < shape.size(); ++d) box.size[d] = shape[d];
    box.size[level] = std::min((interval.end - at) / strides[level],  // not beyond its parent
                               shape[level] - box.offset[level]);
    at += box.size[level] * strides[level];
    boxes.push_back(std::move(box));
  }
  return boxes;
}

std::int64_t IndexProduct::size() const {
  std::int64_t count = 1;
  for (const IntervalSet& set : dims) count *= set.size();
  return count;
}

void ElementSet::append(IndexProduct product) {
  const std::int64_t added = product.size();
  if (added == 0) return;
  size_ += added;
  products_.push_back(std::move(product));
}

ElementSet ElementSet::slice(Interval range) const {
  CHECK_INVARIANT(0 <= range.begin && range.begin <= range.end && range.end <= size_);
  ElementSet part;
  std::int64_t before = 0;
  for (const IndexProduct& product : products_) {
    const std::int64_t size = product.size();
    const std::int64_t from = std::max(range.begin - before, std::int64_t{0});
    const std::int64_t to = std::min(range.end - before, size);
    before += size;
    if (from >= to) continue;
    Shape local;
    for (const IntervalSet& set : product.dims) local.push_back(set.size());
    for (const Box& box : boxes_of({from, to}, local)) {
      IndexProduct piece;
      for (std::size_t d = 0; d < local.size(); ++d)
        piece.dims.push_back(product.dims[d].slice({box.offset[d], box.offset[d] + box.size[d]}));
      part.append(std::move(piece));
    }
  }
  return part;
}

std::vector<Box> ElementSet::boxes() const {
  std::vector<Box> boxes;
  for (const IndexProduct& product : products_)
    for_each_box(product, [&](Box box) { boxes.push_back(std::move(box)); });
  return boxes;
}

IntervalSet ElementSet::flat(const Shape& shape) const {
  const Shape strides = strides_of(shape);
  std::vector<Interval> intervals;
  for (const Box& box : boxes()) {
    // Whole inner dims, and the innermost one that is cut, are one run.
    std::size_t run = shape.size();
    std::int64_t length = 1;
    while (run > 0) {
      --run;
      length *= box.size[run];
      if (box.size[run] != shape[run]) break;
    }
    std::int64_t inner = 0;
    for (std::size_t d = run; d < shape.size(); ++d) inner += box.offset[d] * strides[d];
    std::int64_t rows = 1;
    for (std::size_t d = 0; d < run; ++d) rows *= box.size[d];
    for (std::int64_t row = 0; row < rows; ++row) {
      std::int64_t rest = row;
      std::int64_t begin = inner;
      for (std::size_t d = run; d-- > 0;) {
        begin += (box.offset[d] + rest % box.size[d]) * strides[d];
        rest /= box.size[d];
      }
      intervals.push_back({begin, begin + length});
    }
  }
  return union_of(std::move(intervals));
}

std::int64_t overlap(const ElementSet& a, const ElementSet& b) {
  std::int64_t common = 0;
  for (const IndexProduct& x : a.products())
    for (const IndexProduct& y : b.products()) common += overlap(x, y);
  return common;
}

std::int64_t overlap(const ElementSet& a, const Box& b) {
  std::int64_t common = 0;
  for (const IndexProduct& product : a.products()) {
    std::int64_t inside = 1;
    for (std::size_t d = 0; d < b.offset.size() && inside > 0; ++d) {
      const std::int64_t end = b.offset[d] + b.size[d];
      std::int64_t along = 0;
      for (const Interval& i : product.dims[d].intervals())
        along += std::max(std::min(i.end, end) - std::max(i.begin, b.offset[d]), std::int64_t{0});
      inside *= along;
    }
    common += inside;
  }
  return common;
}

}  // namespace strategies::placement
