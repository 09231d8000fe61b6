#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <numeric>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "strategies/placement/distribution.hpp"
#include "tests/support/catch.hpp"

namespace strategies::placement {

inline Layout layout(std::string_view text) {
  base::Result<Layout> parsed = parse_layout(text);
  REQUIRE(parsed);
  return *parsed;
}

inline std::vector<Piece> pieces_of(std::string_view text, const Shape& shape, const Mesh& mesh) {
  base::Result<std::vector<Piece>> pieces = distribute(layout(text), shape, mesh);
  if (!pieces) FAIL(pieces.error().front().format());
  return *pieces;
}

// --- placements element by element: slow, obvious, and independent of interval arithmetic ------

using Elements = std::vector<std::int64_t>;  ///< row-major numbers, in local order

/// torch.chunk of a list.
inline Elements chunk_of(const Elements& list, std::int64_t count, std::int64_t index) {
  const auto size = static_cast<std::int64_t>(list.size());
  const std::int64_t part = (size + count - 1) / count;
  Elements own;
  for (std::int64_t i = index * part; i < std::min((index + 1) * part, size); ++i)
    own.push_back(list[static_cast<std::size_t>(i)]);
  return own;
}

inline Elements cut_list(const Elements& list, const Placement& placement, int ranks, int rank) {
  std::int64_t parts = 1;
  if (const auto* s = std::get_if<StridedShard>(&placement)) parts = s->split_factor;
  if (const auto* s = std::get_if<InterleavedShard>(&placement)) parts = s->groups;
  Elements own;
  for (std::int64_t part = 0; part < parts; ++part)
    for (const std::int64_t i : chunk_of(chunk_of(list, parts, part), ranks, rank))
      own.push_back(i);
  return own;
}

/// All combinations of one index of each dim, as row-major numbers.
inline Elements combine(const std::vector<Elements>& dims, const Shape& shape) {
  Elements all{0};
  for (std::size_t d = 0; d < dims.size(); ++d) {
    Elements next;
    for (const std::int64_t base : all)
      for (const std::int64_t i : dims[d]) next.push_back(base * shape[d] + i);
    all = std::move(next);
  }
  return all;
}

/// What `rank` holds, in the order of its local tensor.
inline Elements enumerate(const Layout& layout, const Shape& shape, const Mesh& mesh, int rank) {
  std::vector<Elements> dims;
  for (const std::int64_t size : shape) {
    dims.emplace_back(static_cast<std::size_t>(size));
    std::iota(dims.back().begin(), dims.back().end(), std::int64_t{0});
  }
  for (const int d : shard_order(layout)) {
    const Placement& placement = layout.placements[static_cast<std::size_t>(d)];
    if (const auto dim = sharded_dim(placement)) {
      Elements& list = dims[static_cast<std::size_t>(*dim)];
      list = cut_list(list, placement, mesh.extent(d), mesh.coordinate(rank, d));
    }
  }
  Elements all = combine(dims, shape);
  for (std::size_t d = 0; d < layout.placements.size(); ++d) {
    const auto* ragged = std::get_if<RaggedShard>(&layout.placements[d]);
    if (ragged == nullptr) continue;
    const std::int64_t units =
        std::accumulate(ragged->units.begin(), ragged->units.end(), std::int64_t{0});
    const std::int64_t per_unit = static_cast<std::int64_t>(all.size()) / units;
    Elements own;
    std::int64_t at = 0;
    for (int r = 0; r < mesh.extent(static_cast<int>(d)); ++r) {
      const std::int64_t unit = ragged->units[static_cast<std::size_t>(r)];
      const std::int64_t end = unit == 0              ? at
                               : ragged->dims.empty() ? static_cast<std::int64_t>(all.size())
                                                      : at + unit * per_unit;
      if (r == mesh.coordinate(rank, static_cast<int>(d)))
        own.assign(all.begin() + at, all.begin() + end);
      at = end;
    }
    return own;
  }
  return all;
}

/// The elements of a set in its order, one by one.
inline Elements elements_of(const ElementSet& set, const Shape& shape) {
  Elements all;
  for (const IndexProduct& product : set.products()) {
    std::vector<Elements> dims;
    for (const IntervalSet& along : product.dims) {
      dims.emplace_back();
      for (const Interval& interval : along.intervals())
        for (std::int64_t i = interval.begin; i < interval.end; ++i) dims.back().push_back(i);
    }
    for (const std::int64_t element : combine(dims, shape)) all.push_back(element);
  }
  return all;
}

// --- random small cases ----------------------------------------------------------------------

class Dice {
 public:
  explicit Dice(unsigned seed) : random_(seed) {}
  /// 0 to n - 1.
  int operator()(int n) { return static_cast<int>(random_() % static_cast<unsigned>(n)); }

 private:
  std::mt19937 random_;
};

inline Mesh random_mesh(Dice& dice) {
  static const std::vector<std::vector<int>> shapes{{4},    {3},    {5},    {2, 2},    {2, 3},
                                                    {3, 2}, {1, 4}, {4, 1}, {2, 2, 2}, {3, 1, 2}};
  return Mesh(shapes[static_cast<std::size_t>(dice(static_cast<int>(shapes.size())))]);
}

inline Shape random_shape(Dice& dice) {
  Shape shape;
  for (int d = 1 + dice(3); d > 0; --d) shape.push_back(1 + dice(7));
  return shape;
}

/// Units whose sum divides `count`.
inline std::vector<std::int64_t> random_units(Dice& dice, std::int64_t count, int ranks) {
  std::vector<std::int64_t> divisors;
  for (std::int64_t d = 1; d <= count; ++d)
    if (count % d == 0) divisors.push_back(d);
  const std::int64_t sum =
      divisors[static_cast<std::size_t>(dice(static_cast<int>(divisors.size())))];
  std::vector<std::int64_t> units(static_cast<std::size_t>(ranks), 0);
  for (std::int64_t i = 0; i < sum; ++i) ++units[static_cast<std::size_t>(dice(ranks))];
  return units;
}

inline Placement random_placement(Dice& dice, const Shape& shape, int ranks, bool partial) {
  const int dim = dice(static_cast<int>(shape.size()));
  switch (dice(8)) {
    case 0: return Replicate{};
    case 1: return StridedShard{dim, 1 + dice(4)};
    case 2: return InterleavedShard{dim, 1 + dice(3)};
    case 3: return partial ? Placement(Partial{}) : Placement(Replicate{});
    case 4:
    case 5: {
      RaggedShard ragged;
      std::int64_t prefix = 1;
      for (int d = 0; d <= dim; ++d) {
        ragged.dims.push_back(d);
        prefix *= shape[static_cast<std::size_t>(d)];
      }
      ragged.units = random_units(dice, prefix, ranks);
      if (dice(6) == 0) {
        ragged.dims.clear();
        ragged.units.assign(static_cast<std::size_t>(ranks), 0);
        ragged.units[static_cast<std::size_t>(dice(ranks))] = 1;
      }
      return ragged;
    }
    default: return Shard{dim};
  }
}

/// A valid layout, often with a shard order of its own.
inline Layout random_layout(Dice& dice, const Shape& shape, const Mesh& mesh, bool partial) {
  while (true) {
    Layout layout;
    for (int d = 0; d < mesh.dims(); ++d)
      layout.placements.push_back(random_placement(dice, shape, mesh.extent(d), partial));
    if (dice(3) == 0) {
      layout.order = shard_order(layout);
      std::reverse(layout.order.begin(), layout.order.end());
    }
    if (check_layout(layout, shape, mesh).empty()) return layout;
  }
}

}  // namespace strategies::placement
