#pragma once

#include <cstdint>
#include <vector>

#include "strategies/placement/interval_set.hpp"

namespace strategies::placement {

/// Sizes of a tensor's dims, outermost first; row-major storage. None: a scalar.
using Shape = std::vector<std::int64_t>;

std::int64_t element_count(const Shape& shape);

/// An axis-aligned box of a tensor. Both vectors have one entry per dim.
struct Box {
  Shape offset;
  Shape size;

  bool operator==(const Box&) const = default;
};

/// Cuts the row-major interval [begin, end) of a tensor into boxes, from the left: corner pieces of
/// the head, a slab, corner pieces of the tail. At most 2p - 1 boxes for p dims (p >= 1); fewer
/// when inner dims are never cut. \pre 0 <= begin <= end <= element_count(shape).
std::vector<Box> boxes_of(Interval interval, const Shape& shape);

/// The indices whose d-th coordinate is in `dims[d]`, for each d.
struct IndexProduct {
  std::vector<IntervalSet> dims;

  std::int64_t size() const;
  bool operator==(const IndexProduct&) const = default;
};

/// Elements of a tensor as disjoint products of index sets: exact, and as small for a large tensor
/// as for a small one. Elements are numbered product after product, row-major within each.
class ElementSet {
 public:
  ElementSet() = default;
  explicit ElementSet(IndexProduct product) { append(std::move(product)); }

  /// \pre has no element of the set. Empty products add nothing.
  void append(IndexProduct product);

  const std::vector<IndexProduct>& products() const { return products_; }
  std::int64_t size() const { return size_; }
  /// The elements number `range.begin` up to `range.end`. \pre inside [0, size()].
  ElementSet slice(Interval range) const;

  /// As boxes. One per product where its index sets are intervals; else one per combination of
  /// intervals.
  std::vector<Box> boxes() const;
  /// As intervals of the row-major tensor of `shape`: may be many (one a row for columns).
  IntervalSet flat(const Shape& shape) const;

 private:
  std::vector<IndexProduct> products_;
  std::int64_t size_ = 0;
};

/// Elements common to both.
std::int64_t overlap(const ElementSet& a, const ElementSet& b);
std::int64_t overlap(const ElementSet& a, const Box& b);

}  // namespace strategies::placement
