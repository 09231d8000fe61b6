#include "strategies/autoshard/layout_graph.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <tuple>
#include <utility>

#include "base/check.hpp"
#include "strategies/autoshard/arc_cost.hpp"

namespace strategies::autoshard {

namespace {

using placement::Layout;
using placement::Mesh;
using placement::Partial;
using placement::Placement;
using placement::Replicate;
using placement::Shape;
using placement::Shard;

/// The first of all orders, read as numbers, in which the mesh dims that cut the same tensor dim
/// keep their turns.
std::vector<int> first_order(const Layout& layout) {
  const std::vector<int> given = placement::shard_order(layout);
  const auto waits = [&](int mesh_dim, const std::vector<int>& done) {
    const auto dim = placement::sharded_dim(layout.placements[static_cast<std::size_t>(mesh_dim)]);
    for (const int earlier : given) {
      if (earlier == mesh_dim || !dim) return false;
      const Placement& other = layout.placements[static_cast<std::size_t>(earlier)];
      if (placement::sharded_dim(other) == dim &&
          std::find(done.begin(), done.end(), earlier) == done.end())
        return true;
    }
    return false;
  };
  std::vector<int> order;
  while (order.size() < given.size())
    for (int d = 0; d < static_cast<int>(given.size()); ++d)
      if (std::find(order.begin(), order.end(), d) == order.end() && !waits(d, order)) {
        order.push_back(d);
        break;
      }
  return order;
}

/// One way to write layouts that differ in the order of independent cuts only.
Layout canonical(Layout layout) {
  layout.order = first_order(layout);
  if (std::is_sorted(layout.order.begin(), layout.order.end())) layout.order.clear();
  return layout;
}

/// Shard after shard, the size left of the tensor dim is at least the mesh dim.
bool fits(const Layout& layout, Shape left, const Mesh& mesh) {
  for (const int mesh_dim : placement::shard_order(layout)) {
    const auto dim = placement::sharded_dim(layout.placements[static_cast<std::size_t>(mesh_dim)]);
    if (!dim) continue;
    std::int64_t& size = left[static_cast<std::size_t>(*dim)];
    if (size < mesh.extent(mesh_dim)) return false;
    size = base::ceil_div(size, mesh.extent(mesh_dim));
  }
  return true;
}

std::vector<Placement> placements_of(int mesh_extent, int tensor_dims) {
  std::vector<Placement> placements{Replicate{}};
  if (mesh_extent == 1) return placements;
  for (int d = 0; d < tensor_dims; ++d) placements.emplace_back(Shard{d});
  placements.emplace_back(Partial{});
  return placements;
}

/// Mesh dims vary fastest last; R before S(0) before P; the order as they stand first.
std::vector<Layout> layouts_of(const Shape& shape, const Mesh& mesh) {
  std::vector<Layout> unordered{{}};
  for (int mesh_dim = 0; mesh_dim < mesh.dims(); ++mesh_dim) {
    std::vector<Layout> longer;
    for (const Layout& layout : unordered)
      for (const Placement& placement :
           placements_of(mesh.extent(mesh_dim), static_cast<int>(shape.size()))) {
        longer.push_back(layout);
        longer.back().placements.push_back(placement);
      }
    unordered = std::move(longer);
  }
  std::vector<Layout> layouts;
  for (const Layout& layout : unordered) {
    std::vector<int> order(static_cast<std::size_t>(mesh.dims()));
    std::iota(order.begin(), order.end(), 0);
    do {
      const Layout ordered{layout.placements, order};
      if (first_order(ordered) == order && fits(ordered, shape, mesh))
        layouts.push_back(canonical(ordered));
    } while (std::next_permutation(order.begin(), order.end()));
  }
  return layouts;
}

/// A set of mesh dims, ascending.
std::vector<std::vector<int>> sets_of_mesh_dims(const Mesh& mesh) {
  std::vector<std::vector<int>> sets{{}};
  for (int d = 0; d < mesh.dims(); ++d) {
    if (mesh.extent(d) == 1) continue;
    const std::size_t known = sets.size();
    for (std::size_t i = 0; i < known; ++i) {
      sets.push_back(sets[i]);
      sets.back().push_back(d);
    }
  }
  sets.erase(sets.begin());
  return sets;
}

bool contains(const std::vector<int>& values, int value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

class Builder {
 public:
  Builder(LayoutGraph& graph, const Mesh& mesh, const Prices& prices)
      : graph_(graph), mesh_(mesh), cost_(graph.type, mesh, prices) {
    for (std::size_t i = 0; i < graph.layouts.size(); ++i)
      index_[key(graph.layouts[i])] = static_cast<int>(i);
  }

  void build() {
    for (const std::vector<int>& mesh_dims : sets_of_mesh_dims(mesh_)) connect(mesh_dims);
    const auto rank = [](const Arc& arc) {
      return std::tuple(arc.from, arc.to, arc.time, arc.mesh_dims.size());
    };
    std::stable_sort(graph_.arcs.begin(), graph_.arcs.end(),
                     [&](const Arc& a, const Arc& b) { return rank(a) < rank(b); });
    const auto last =
        std::unique(graph_.arcs.begin(), graph_.arcs.end(),
                    [](const Arc& a, const Arc& b) { return a.from == b.from && a.to == b.to; });
    graph_.arcs.erase(last, graph_.arcs.end());
    for (std::size_t i = 0, arc = 0; i <= graph_.layouts.size(); ++i) {
      while (arc < graph_.arcs.size() && graph_.arcs[arc].from < static_cast<int>(i)) ++arc;
      graph_.first_arc.push_back(static_cast<int>(arc));
    }
  }

 private:
  using Key = std::vector<int>;

  static Key key(const Layout& layout) {
    Key key = layout.order;
    for (const Placement& placement : layout.placements) {
      const auto dim = placement::sharded_dim(placement);
      key.push_back(dim ? *dim : placement::is_replicate(placement) ? -1 : -2);
    }
    return key;
  }

  /// The layout with `placement` on `mesh_dims`.
  int with(Layout layout, const std::vector<int>& mesh_dims, const Placement& placement) const {
    for (const int d : mesh_dims) layout.placements[static_cast<std::size_t>(d)] = placement;
    return index_.at(key(canonical(std::move(layout))));
  }

  bool all_replicate(const Layout& layout, const std::vector<int>& mesh_dims) const {
    return std::all_of(mesh_dims.begin(), mesh_dims.end(), [&](int d) {
      return placement::is_replicate(layout.placements[static_cast<std::size_t>(d)]);
    });
  }

  /// Whether all of `mesh_dims` shard, and none cuts before another mesh dim that cuts the same
  /// tensor dim and is not of them.
  static bool cut_last(const Layout& layout, const std::vector<int>& mesh_dims) {
    std::vector<int> moved;  // tensor dims
    for (const int mesh_dim : placement::shard_order(layout)) {
      const auto dim =
          placement::sharded_dim(layout.placements[static_cast<std::size_t>(mesh_dim)]);
      if (contains(mesh_dims, mesh_dim)) {
        if (!dim) return false;
        moved.push_back(*dim);
      } else if (dim && contains(moved, *dim)) {
        return false;
      }
    }
    return true;
  }

  void connect(const std::vector<int>& mesh_dims) {
    std::map<int, std::vector<int>> shards;  // by the layout that they leave when undone
    for (std::size_t i = 0; i < graph_.layouts.size(); ++i)
      if (cut_last(graph_.layouts[i], mesh_dims))
        shards[with(graph_.layouts[i], mesh_dims, Replicate{})].push_back(static_cast<int>(i));
    for (std::size_t i = 0; i < graph_.layouts.size(); ++i)
      if (all_replicate(graph_.layouts[i], mesh_dims))
        connect(mesh_dims, static_cast<int>(i), shards[static_cast<int>(i)]);
  }

  void connect(const std::vector<int>& mesh_dims, int copies, const std::vector<int>& shards) {
    const Layout& whole = graph_.layouts[static_cast<std::size_t>(copies)];
    const int sums = with(whole, mesh_dims, Partial{});
    add(cost_.all_reduce(mesh_dims, whole), sums, copies);
    for (const int shard : shards) {
      const Layout& cut = graph_.layouts[static_cast<std::size_t>(shard)];
      add(cost_.all_gather(mesh_dims, cut, whole), shard, copies);
      add(cost_.reduce_scatter(mesh_dims, whole, cut), sums, shard);
      if (mesh_dims.size() == 1) add(Arc{.mesh_dims = mesh_dims}, copies, shard);
      for (const int other : shards)
        if (other != shard)
          add(cost_.all_to_all(mesh_dims, whole, cut,
                               graph_.layouts[static_cast<std::size_t>(other)]),
              shard, other);
    }
  }

  void add(Arc arc, int from, int to) {
    arc.from = from;
    arc.to = to;
    graph_.arcs.push_back(std::move(arc));
  }

  LayoutGraph& graph_;
  const Mesh& mesh_;
  ArcCost cost_;
  std::map<Key, int> index_;
};

}  // namespace

Shape local_shape(const Layout& layout, const Shape& shape, const Mesh& mesh) {
  Shape left = shape;
  for (std::size_t d = 0; d < layout.placements.size(); ++d)
    if (const auto dim = placement::sharded_dim(layout.placements[d])) {
      std::int64_t& size = left[static_cast<std::size_t>(*dim)];
      size = base::ceil_div(size, mesh.extent(static_cast<int>(d)));
    }
  return left;
}

int LayoutGraph::find(const Layout& layout) const {
  const auto found = std::find(layouts.begin(), layouts.end(), canonical(layout));
  return found == layouts.end() ? -1 : static_cast<int>(found - layouts.begin());
}

LayoutGraph make_layout_graph(const TensorType& type, const Mesh& mesh, const Prices& prices) {
  CHECK_INVARIANT(mesh.dims() <= 3);
  LayoutGraph graph;
  graph.type = type;
  graph.layouts = layouts_of(type.shape, mesh);
  for (const Layout& layout : graph.layouts)
    graph.local_bytes.push_back(
        bytes_of(type.dtype, placement::element_count(local_shape(layout, type.shape, mesh))));
  Builder(graph, mesh, prices).build();
  return graph;
}

Ways cheapest_ways(const LayoutGraph& graph, int from, Travel travel) {
  const std::size_t count = graph.layouts.size();
  Ways ways{std::vector<base::Seconds>(count, base::Seconds::infinity()),
            std::vector<int>(count, -1)};
  std::vector<int> hops(count, 0);
  std::vector<bool> done(count, false);
  const auto rank = [&](std::size_t i) { return std::pair(ways.time[i], hops[i]); };
  ways.time[static_cast<std::size_t>(from)] = {};
  for (;;) {
    std::size_t next = count;
    for (std::size_t i = 0; i < count; ++i)
      if (!done[i] && ways.reaches(static_cast<int>(i)) && (next == count || rank(i) < rank(next)))
        next = i;
    if (next == count) return ways;
    done[next] = true;
    for (int a = graph.first_arc[next]; a < graph.first_arc[next + 1]; ++a) {
      const Arc& arc = graph.arcs[static_cast<std::size_t>(a)];
      if (travel == Travel::still && arc.op) continue;
      const auto to = static_cast<std::size_t>(arc.to);
      const std::pair better(ways.time[next] + arc.time, hops[next] + 1);
      if (done[to] || better >= rank(to)) continue;
      std::tie(ways.time[to], hops[to]) = better;
      ways.last_arc[to] = a;
    }
  }
}

std::vector<int> arcs_to(const LayoutGraph& graph, const Ways& ways, int to) {
  CHECK_INVARIANT(ways.reaches(to));
  std::vector<int> arcs;
  for (int arc = ways.last_arc[static_cast<std::size_t>(to)]; arc >= 0;
       arc =
           ways.last_arc[static_cast<std::size_t>(graph.arcs[static_cast<std::size_t>(arc)].from)])
    arcs.push_back(arc);
  std::reverse(arcs.begin(), arcs.end());
  return arcs;
}

}  // namespace strategies::autoshard
