#include "strategies/placement/distribution.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "base/check.hpp"

namespace strategies::placement {

namespace {

constexpr std::int64_t elements_max = std::int64_t{1} << 60;
constexpr std::int64_t parts_max = 1 << 16;

/// The local indices that rank `coordinate` of `ranks` has of `size` indices.
IntervalSet cut(const Placement& placement, std::int64_t size, int ranks, int coordinate) {
  std::int64_t parts = 1;
  if (const auto* strided = std::get_if<StridedShard>(&placement)) parts = strided->split_factor;
  if (const auto* groups = std::get_if<InterleavedShard>(&placement)) parts = groups->groups;
  IntervalSet set;
  for (std::int64_t part = 0; part < parts; ++part) {
    const Interval whole = chunk(size, parts, part);
    if (whole.size() == 0) break;
    const Interval own = chunk(whole.size(), ranks, coordinate);
    set.append({whole.begin + own.begin, whole.begin + own.end});
  }
  return set;
}

/// What all placements but a RaggedShard leave to `rank`.
IndexProduct leave(const Layout& layout, const Shape& shape, const Mesh& mesh, int rank) {
  IndexProduct local;
  for (const std::int64_t size : shape) local.dims.emplace_back(Interval{0, size});
  for (const int mesh_dim : shard_order(layout)) {
    const Placement& placement = layout.placements[static_cast<std::size_t>(mesh_dim)];
    const std::optional<int> dim = sharded_dim(placement);
    if (!dim) continue;
    IntervalSet& held = local.dims[static_cast<std::size_t>(*dim)];
    const IntervalSet local_cut =
        cut(placement, held.size(), mesh.extent(mesh_dim), mesh.coordinate(rank, mesh_dim));
    IntervalSet own;
    for (const Interval& interval : local_cut.intervals()) {
      const IntervalSet global = held.slice(interval);
      for (const Interval& run : global.intervals()) own.append(run);
    }
    held = std::move(own);
  }
  return local;
}

Shape sizes_of(const IndexProduct& product) {
  Shape sizes;
  for (const IntervalSet& set : product.dims) sizes.push_back(set.size());
  return sizes;
}

std::int64_t sum_of(const std::vector<std::int64_t>& values) {
  return std::accumulate(values.begin(), values.end(), std::int64_t{0});
}

const RaggedShard* ragged_of(const Layout& layout, int& mesh_dim) {
  for (std::size_t d = 0; d < layout.placements.size(); ++d)
    if (const auto* ragged = std::get_if<RaggedShard>(&layout.placements[d])) {
      mesh_dim = static_cast<int>(d);
      return ragged;
    }
  return nullptr;
}

std::int64_t prefix_count(const RaggedShard& ragged, const Shape& local) {
  return std::accumulate(local.begin(),
                         local.begin() + static_cast<std::ptrdiff_t>(ragged.dims.size()),
                         std::int64_t{1}, std::multiplies<>());
}

Piece cut_ragged(const RaggedShard& ragged, const IndexProduct& local, int coordinate) {
  const Shape sizes = sizes_of(local);
  const std::int64_t prefix = prefix_count(ragged, sizes);
  const std::int64_t total = element_count(sizes);
  const std::int64_t suffix = prefix == 0 ? 0 : total / prefix;
  const std::int64_t per_unit =
      ragged.dims.empty() ? 1 : prefix / sum_of(ragged.units);  // prefix items
  const auto own = ragged.units.begin() + coordinate;
  const std::int64_t before = std::accumulate(ragged.units.begin(), own, std::int64_t{0});
  // Without dims the units say only who is the root.
  const std::int64_t first = ragged.dims.empty() ? (before > 0 ? 1 : 0) : before * per_unit;
  const std::int64_t items = ragged.dims.empty() ? (*own > 0 ? 1 : 0) : *own * per_unit;
  Piece piece;
  piece.ragged_offset = first * suffix;
  piece.elements =
      ElementSet(local).slice({piece.ragged_offset, piece.ragged_offset + items * suffix});
  if (*own == 0 || total == 0) {
    piece.local_shape = {0};
    return piece;
  }
  if (!ragged.dims.empty()) piece.local_shape.push_back(items);
  piece.local_shape.insert(piece.local_shape.end(),
                           sizes.begin() + static_cast<std::ptrdiff_t>(ragged.dims.size()),
                           sizes.end());
  return piece;
}

class Checker {
 public:
  Checker(const Layout& layout, const Shape& shape, const Mesh& mesh, base::SourceRef where)
      : layout_(layout), shape_(shape), mesh_(mesh), where_(std::move(where)) {}

  base::Diagnostics check() {
    check_sizes();
    if (problems_.empty()) check_shards();
    if (problems_.empty()) check_partials();
    if (problems_.empty()) check_raggeds();
    return std::move(problems_);
  }

 private:
  void report(std::string message, std::string hint) {
    problems_.push_back({where_, std::move(message), std::move(hint)});
  }

  void check_sizes() {
    std::int64_t count = 1;
    for (const std::int64_t size : shape_) {
      if (size < 0) return report(fmt::format("a tensor dim has size {}", size), "from 0 on");
      if (size > 0 && count > elements_max / size)
        return report("the tensor has more than 2^60 elements", "");
      count *= std::max(size, std::int64_t{1});
    }
    if (static_cast<int>(layout_.placements.size()) != mesh_.dims())
      report(fmt::format("'{}' has {} placements, the mesh {} dims", format(layout_),
                         layout_.placements.size(), mesh_.dims()),
             "one placement for each mesh dim");
    std::vector<int> order = shard_order(layout_);
    std::sort(order.begin(), order.end());
    for (std::size_t d = 0; d < order.size(); ++d)
      if (order.size() != layout_.placements.size() || order[d] != static_cast<int>(d))
        return report("the shard order does not name each mesh dim once", "");
  }

  void check_shards() {
    const auto rank = static_cast<int>(shape_.size());
    for (const Placement& placement : layout_.placements) {
      const std::optional<int> dim = sharded_dim(placement);
      if (!dim) continue;
      if (*dim < 0 || *dim >= rank)
        report(fmt::format("{} of a tensor with {} dims", format(placement), rank),
               "dims count from 0");
      const auto* strided = std::get_if<StridedShard>(&placement);
      const auto* interleaved = std::get_if<InterleavedShard>(&placement);
      const std::int64_t parts = strided != nullptr       ? strided->split_factor
                                 : interleaved != nullptr ? interleaved->groups
                                                          : 1;
      if (parts < 1 || parts > parts_max)
        report(fmt::format("{} cuts into {} parts", format(placement), parts),
               fmt::format("1 to {} parts", parts_max));
    }
    if (problems_.empty()) check_interleaved();
  }

  /// Groups are fused tensors: all as large, on every rank.
  void check_interleaved() {
    for (std::size_t d = 0; d < layout_.placements.size(); ++d)
      if (const auto* interleaved = std::get_if<InterleavedShard>(&layout_.placements[d]))
        check_groups(*interleaved, static_cast<int>(d));
  }

  void check_groups(const InterleavedShard& interleaved, int mesh_dim) {
    Layout before{std::vector<Placement>(layout_.placements.size(), Replicate{}), layout_.order};
    for (const int earlier : shard_order(layout_)) {
      if (earlier == mesh_dim) break;
      const auto d = static_cast<std::size_t>(earlier);
      if (sharded_dim(layout_.placements[d])) before.placements[d] = layout_.placements[d];
    }
    for (int rank = 0; rank < mesh_.size(); ++rank) {
      const IndexProduct left = leave(before, shape_, mesh_, rank);
      const std::int64_t size = left.dims[static_cast<std::size_t>(interleaved.dim)].size();
      if (size % interleaved.groups != 0)
        return report(fmt::format("{} of {} indices: they are not {} equal groups",
                                  format(Placement(interleaved)), size, interleaved.groups),
                      "Strided(dim; factor) takes uneven parts");
    }
  }

  /// The order of sums and averages does not matter; of a sum and a maximum it does.
  void check_partials() {
    std::optional<Reduction> first;
    const auto linear = [](Reduction op) { return op == Reduction::sum || op == Reduction::avg; };
    for (const Placement& placement : layout_.placements) {
      const std::optional<Reduction> op = pending(placement);
      if (!op) continue;
      if (!first) first = op;
      if (*op != *first && !(linear(*op) && linear(*first)))
        return report(
            fmt::format("'{}' waits for two reductions whose order matters", format(layout_)),
            "reduce one of them first");
    }
  }

  void check_raggeds() {
    int mesh_dim = 0;
    const RaggedShard* ragged = ragged_of(layout_, mesh_dim);
    if (ragged == nullptr) return;
    if (std::count_if(layout_.placements.begin(), layout_.placements.end(), is_ragged) > 1)
      return report(fmt::format("'{}' has more than one RaggedShard", format(layout_)),
                    "one for a tensor; combine it with S(dim) on other mesh dims");
    check_units(*ragged, mesh_.extent(mesh_dim));
    check_dims(*ragged);
    if (problems_.empty()) check_prefix(*ragged);
  }

  void check_units(const RaggedShard& ragged, int ranks) {
    const std::string text = format(Placement(ragged));
    if (static_cast<int>(ragged.units.size()) != ranks)
      report(
          fmt::format("{} has {} units, its mesh dim {} ranks", text, ragged.units.size(), ranks),
          "one number for each rank; 0 where it holds nothing");
    std::int64_t sum = 0;
    for (const std::int64_t unit : ragged.units) {
      if (unit < 0)
        return report(fmt::format("{} has a negative unit", text), "units are 0 or more");
      if (unit > elements_max - sum) return report(fmt::format("{} has too many units", text), "");
      sum += unit;
    }
    if (sum == 0)
      report(fmt::format("the units of {} are all 0: no rank would hold the tensor", text),
             "give one rank a unit");
    const auto holders = std::count_if(ragged.units.begin(), ragged.units.end(),
                                       [](std::int64_t unit) { return unit > 0; });
    if (ragged.dims.empty() && holders > 1)
      report(fmt::format("{} leaves the tensor whole, but {} ranks have units", text, holders),
             "name dims to cut, or give one rank (the root) all units");
  }

  void check_dims(const RaggedShard& ragged) {
    const std::string text = format(Placement(ragged));
    if (ragged.dims.size() > shape_.size())
      return report(fmt::format("{} of a tensor with {} dims", text, shape_.size()), "");
    for (std::size_t d = 0; d < ragged.dims.size(); ++d)
      if (ragged.dims[d] != static_cast<int>(d))
        return report(fmt::format("the dims of {} are not the first ones, in order", text),
                      "dims are 0 or 0,1 or 0,1,2 ...: runs of a row-major tensor");
  }

  void check_prefix(const RaggedShard& ragged) {
    if (ragged.dims.empty()) return;
    const std::int64_t sum = sum_of(ragged.units);
    std::set<std::int64_t> said;
    for (int rank = 0; rank < mesh_.size(); ++rank) {
      const Shape local = sizes_of(leave(layout_, shape_, mesh_, rank));
      const std::int64_t prefix = prefix_count(ragged, local);
      if (prefix % sum == 0 || !said.insert(prefix).second) continue;
      const std::string items = ragged.dims.size() == 1 ? "rows" : "items";
      report(fmt::format("{} cuts {} {} (dims {} of {}) into {} units: {} % {} = {}",
                         format(Placement(ragged)), prefix, items, fmt::join(ragged.dims, ","),
                         fmt::join(local, "x"), sum, prefix, sum, prefix % sum),
             "choose units whose sum divides them, or cut more dims");
    }
  }

  const Layout& layout_;
  const Shape& shape_;
  const Mesh& mesh_;
  base::SourceRef where_;
  base::Diagnostics problems_;
};

}  // namespace

base::Diagnostics check_layout(const Layout& layout, const Shape& shape, const Mesh& mesh,
                               const base::SourceRef& where) {
  return Checker(layout, shape, mesh, where).check();
}

base::Result<std::vector<Piece>> distribute(const Layout& layout, const Shape& shape,
                                            const Mesh& mesh, const base::SourceRef& where) {
  base::Diagnostics problems = check_layout(layout, shape, mesh, where);
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  int ragged_dim = 0;
  const RaggedShard* ragged = ragged_of(layout, ragged_dim);
  std::vector<Piece> pieces;
  for (int rank = 0; rank < mesh.size(); ++rank) {
    IndexProduct local = leave(layout, shape, mesh, rank);
    if (ragged != nullptr)
      pieces.push_back(cut_ragged(*ragged, local, mesh.coordinate(rank, ragged_dim)));
    else
      pieces.push_back({sizes_of(local), ElementSet(local), 0});
  }
  return pieces;
}

std::vector<Layout> enumerate_layouts(const Shape& shape, const Mesh& mesh) {
  std::vector<std::pair<Layout, Shape>> partial{{Layout{}, shape}};
  for (int mesh_dim = 0; mesh_dim < mesh.dims(); ++mesh_dim) {
    const std::int64_t ranks = mesh.extent(mesh_dim);
    std::vector<std::pair<Layout, Shape>> longer;
    for (const auto& [layout, left] : partial) {
      longer.emplace_back(layout, left).first.placements.emplace_back(Replicate{});
      for (std::size_t d = 0; d < left.size(); ++d) {
        if (left[d] < ranks) continue;
        auto& [next, next_left] = longer.emplace_back(layout, left);
        next.placements.emplace_back(Shard{static_cast<int>(d)});
        next_left[d] = (left[d] + ranks - 1) / ranks;
      }
    }
    partial = std::move(longer);
  }
  std::vector<Layout> layouts;
  for (auto& entry : partial) layouts.push_back(std::move(entry.first));
  return layouts;
}

}  // namespace strategies::placement
