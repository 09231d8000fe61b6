#include "strategies/autoshard/arc_cost.hpp"

#include <algorithm>
#include <set>
#include <utility>

namespace strategies::autoshard {

namespace {

using base::Bytes;
using base::Collective;
using placement::Layout;
using placement::Shape;

/// The tensor dims that `mesh_dims` cut.
std::set<int> dims_cut(const std::vector<int>& mesh_dims, const Layout& layout) {
  std::set<int> dims;
  for (const int d : mesh_dims)
    dims.insert(*placement::sharded_dim(layout.placements[static_cast<std::size_t>(d)]));
  return dims;
}

bool meet(const std::set<int>& a, const std::set<int>& b) {
  return std::any_of(a.begin(), a.end(), [&](int dim) { return b.count(dim) > 0; });
}

}  // namespace

Bytes bytes_of(base::DType type, std::int64_t elements) {
  return Bytes::from_double(base::bytes_of(type) * static_cast<double>(elements));
}

int ArcCost::ranks(const std::vector<int>& mesh_dims) const {
  int ranks = 1;
  for (const int d : mesh_dims) ranks *= mesh_.extent(d);
  return ranks;
}

Bytes ArcCost::bytes(const Shape& shape) const {
  return bytes_of(type_.dtype, placement::element_count(shape));
}

bool ArcCost::even(const std::vector<int>& mesh_dims, const Layout& cut, const Shape& whole) const {
  Shape left = whole;
  for (const int d : mesh_dims) {
    std::int64_t& size = left[static_cast<std::size_t>(
        *placement::sharded_dim(cut.placements[static_cast<std::size_t>(d)]))];
    if (size % mesh_.extent(d) != 0) return false;
    size /= mesh_.extent(d);
  }
  return true;
}

bool ArcCost::in_runs(const std::vector<int>& mesh_dims, const Layout& cut,
                      const Shape& local) const {
  const std::set<int> dims = dims_cut(mesh_dims, cut);
  return dims.size() == 1 && std::all_of(local.begin(), local.begin() + *dims.begin(),
                                         [](std::int64_t size) { return size == 1; });
}

bool ArcCost::apart(const std::vector<int>& mesh_dims, const Layout& cut,
                    const Shape& whole) const {
  return !in_runs(mesh_dims, cut, whole) || (mesh_dims.size() > 1 && !even(mesh_dims, cut, whole));
}

base::Seconds ArcCost::copy(Bytes local) {
  const auto [known, fresh] = copies_.try_emplace(local);
  if (fresh) known->second = prices_.kernel(base::MemoryBound{local * 2});
  return known->second;
}

Arc ArcCost::collective(Collective op, Bytes bytes, const std::vector<int>& mesh_dims) {
  const auto [known, fresh] = collectives_.try_emplace({op, bytes, mesh_dims});
  if (fresh) known->second = prices_.collective(op, bytes, mesh_dims);
  return {.time = known->second, .op = op, .mesh_dims = mesh_dims, .bytes = bytes};
}

Arc ArcCost::all_reduce(const std::vector<int>& mesh_dims, const Layout& whole) {
  return collective(Collective::all_reduce, bytes(local_shape(whole, type_.shape, mesh_)),
                    mesh_dims);
}

Arc ArcCost::all_gather(const std::vector<int>& mesh_dims, const Layout& cut, const Layout& whole) {
  const Shape result = local_shape(whole, type_.shape, mesh_);
  Arc arc = collective(Collective::all_gather,
                       bytes(local_shape(cut, type_.shape, mesh_)) * ranks(mesh_dims), mesh_dims);
  arc.unpacks = apart(mesh_dims, cut, result);
  if (arc.unpacks) arc.time += copy(bytes(result));
  return arc;
}

Arc ArcCost::reduce_scatter(const std::vector<int>& mesh_dims, const Layout& whole,
                            const Layout& cut) {
  const Shape source = local_shape(whole, type_.shape, mesh_);
  Arc arc = collective(Collective::reduce_scatter,
                       bytes(local_shape(cut, type_.shape, mesh_)) * ranks(mesh_dims), mesh_dims);
  arc.packs = apart(mesh_dims, cut, source);
  if (arc.packs) arc.time += copy(bytes(source));
  return arc;
}

Arc ArcCost::all_to_all(const std::vector<int>& mesh_dims, const Layout& whole, const Layout& from,
                        const Layout& to) {
  const Shape source = local_shape(from, type_.shape, mesh_);
  const Shape result = local_shape(to, type_.shape, mesh_);
  const std::set<int> before = dims_cut(mesh_dims, from);
  const std::set<int> after = dims_cut(mesh_dims, to);
  const std::int64_t group = ranks(mesh_dims);
  Arc arc;
  if (meet(before, after)) {
    const Bytes moved = std::max(bytes(source), bytes(result));
    arc = collective(Collective::all_to_all, ceil_div(moved * group, group - 1), mesh_dims);
  } else {
    Shape share = source;
    for (const int dim : after)
      share[static_cast<std::size_t>(dim)] = result[static_cast<std::size_t>(dim)];
    arc = collective(Collective::all_to_all, bytes(share) * group, mesh_dims);
  }
  // Only in another order, and even: whole pieces change places.
  if (from.placements == to.placements &&
      even(mesh_dims, from, local_shape(whole, type_.shape, mesh_)))
    return arc;
  arc.packs = !in_runs(mesh_dims, to, source);
  arc.unpacks = !in_runs(mesh_dims, from, result);
  if (arc.packs) arc.time += copy(bytes(source));
  if (arc.unpacks) arc.time += copy(bytes(result));
  return arc;
}

}  // namespace strategies::autoshard
