#include "sim/place/rules.hpp"

#include <algorithm>
#include <array>
#include <map>

namespace sim::place {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

void count_room(RoomTree& tree) {
  for (std::size_t i = tree.vertices.size(); i-- > 1;)
    tree.vertices[at(tree.vertices[i].parent)].room += tree.vertices[i].room;
}

int add(RoomTree& tree, int parent) {
  const int number = static_cast<int>(tree.vertices.size());
  tree.vertices.push_back({.parent = parent,
                           .depth = parent < 0 ? 0 : tree.vertices[at(parent)].depth + 1,
                           .room = 0,
                           .children = {}});
  if (parent >= 0) tree.vertices[at(parent)].children.push_back(number);
  return number;
}

/// What is taken of each leaf while domains are filled.
class Filler {
 public:
  explicit Filler(const RoomTree& tree) : tree_(tree), taken_(tree.vertices.size(), 0) {}

  /// Up to `count` from a domain, its leaves in order.
  int fill(int domain, int count) {
    const RoomTree::Vertex& vertex = tree_.vertices[at(domain)];
    if (vertex.children.empty()) {
      const int here = std::min(count, vertex.room - taken_[at(domain)]);
      taken_[at(domain)] += here;
      return here;
    }
    int done = 0;
    for (const int child : vertex.children) done += fill(child, count - done);
    return done;
  }

  std::vector<int> take() const {
    std::vector<int> by_leaf;
    for (const int leaf : tree_.leaves()) by_leaf.push_back(taken_[at(leaf)]);
    return by_leaf;
  }

 private:
  const RoomTree& tree_;
  std::vector<int> taken_;
};

int common(const RoomTree& tree, int a, int b) {
  while (a != b) {
    if (tree.vertices[at(a)].depth < tree.vertices[at(b)].depth) std::swap(a, b);
    a = tree.vertices[at(a)].parent;
  }
  return a;
}

}  // namespace

std::vector<int> RoomTree::leaves() const {
  std::vector<int> all;
  for (int v = 0; v < static_cast<int>(vertices.size()); ++v)
    if (vertices[at(v)].depth == depth) all.push_back(v);
  return all;
}

RoomTree room_tree(const std::vector<std::vector<int>>& sizes, const std::vector<int>& rooms) {
  RoomTree tree;
  add(tree, -1);
  std::vector<int> level{0};
  for (const std::vector<int>& of_level : sizes) {
    std::vector<int> next;
    for (std::size_t i = 0; i < level.size(); ++i)
      for (int child = 0; child < of_level[i]; ++child) next.push_back(add(tree, level[i]));
    level = std::move(next);
    ++tree.depth;
  }
  for (std::size_t i = 0; i < level.size(); ++i) tree.vertices[at(level[i])].room = rooms[i];
  count_room(tree);
  return tree;
}

RoomTree room_tree(const topology::Cluster& cluster, const std::vector<topology::Level>& levels,
                   const std::vector<int>& free) {
  RoomTree tree;
  add(tree, -1);
  std::vector<std::pair<int, int>> here;  // node, its domain so far
  for (const int node : free) here.emplace_back(node, 0);
  for (const topology::Level& level : levels) {
    std::erase_if(here, [&](const auto& one) { return level.domain_of[at(one.first)] < 0; });
    std::map<std::pair<int, std::string>, int> made;
    for (const auto& [node, domain] : here)
      made.emplace(std::pair(domain, level.domain_names[at(level.domain_of[at(node)])]), 0);
    for (auto& [key, number] : made) number = add(tree, key.first);
    for (auto& [node, domain] : here)
      domain = made.at({domain, level.domain_names[at(level.domain_of[at(node)])]});
    ++tree.depth;
  }
  std::stable_sort(here.begin(), here.end(), [&](const auto& a, const auto& b) {
    return a.second != b.second
               ? a.second < b.second
               : cluster.nodes()[at(a.first)].name < cluster.nodes()[at(b.first)].name;
  });
  for (const auto& [node, domain] : here) {
    const int leaf = add(tree, domain);
    tree.vertices[at(leaf)].node = node;
    tree.vertices[at(leaf)].room = 1;
  }
  ++tree.depth;
  count_room(tree);
  return tree;
}

Taken kai(const RoomTree& tree, int count, int required) {
  int best = -1;
  for (int v = 0; v < static_cast<int>(tree.vertices.size()); ++v)
    if (tree.vertices[at(v)].depth == required && tree.vertices[at(v)].room >= count &&
        (best < 0 || tree.vertices[at(v)].room < tree.vertices[at(best)].room))
      best = v;
  if (best < 0) return std::nullopt;
  std::vector<int> parts = tree.vertices[at(best)].children;
  if (parts.empty()) parts = {best};
  std::stable_sort(parts.begin(), parts.end(), [&](int a, int b) {
    return tree.vertices[at(a)].room > tree.vertices[at(b)].room;
  });
  Filler filler(tree);
  for (const int part : parts) count -= filler.fill(part, count);
  return filler.take();
}

Taken slurm_tree(const RoomTree& tree, int count) {
  int lowest = -1;
  for (int v = 0; v < static_cast<int>(tree.vertices.size()); ++v) {
    const RoomTree::Vertex& one = tree.vertices[at(v)];
    if (one.depth == tree.depth || one.room < count) continue;
    if (lowest < 0 || one.depth > tree.vertices[at(lowest)].depth ||
        (one.depth == tree.vertices[at(lowest)].depth && one.room < tree.vertices[at(lowest)].room))
      lowest = v;
  }
  if (lowest < 0) return std::nullopt;
  std::vector<int> open;  // leaf switches below it
  for (int v = 0; v < static_cast<int>(tree.vertices.size()); ++v)
    if (tree.vertices[at(v)].depth == tree.depth - 1 && common(tree, v, lowest) == lowest)
      open.push_back(v);
  const auto room = [&](int v) { return tree.vertices[at(v)].room; };
  Filler filler(tree);
  std::vector<int> used;
  const auto nearness = [&](int v) {
    int depth = 0;
    for (const int one : used)
      depth = std::max(depth, tree.vertices[at(common(tree, v, one))].depth);
    return depth;
  };
  while (count > 0 && !open.empty()) {
    const auto better = [&](int a, int b) {
      const int near_a = nearness(a);
      const int near_b = nearness(b);
      if (near_a != near_b) return near_a > near_b;
      const bool fits_a = !used.empty() && room(a) >= count;
      const bool fits_b = !used.empty() && room(b) >= count;
      if (fits_a != fits_b) return fits_a;
      return fits_a ? room(a) < room(b) : room(a) > room(b);
    };
    const int leaf = *std::min_element(open.begin(), open.end(), better);
    open.erase(std::find(open.begin(), open.end(), leaf));
    count -= filler.fill(leaf, count);
    used.push_back(leaf);
  }
  return filler.take();
}

Taken dlcalc(const RoomTree& tree, int count) {
  if (tree.vertices[0].room < count) return std::nullopt;
  Filler filler(tree);
  const auto walk = [&](const auto& self, int domain) -> void {
    if (tree.vertices[at(domain)].children.empty()) {
      count -= filler.fill(domain, count);
      return;
    }
    std::vector<int> children = tree.vertices[at(domain)].children;
    std::stable_sort(children.begin(), children.end(), [&](int a, int b) {
      return tree.vertices[at(a)].room > tree.vertices[at(b)].room;
    });
    for (const int child : children) self(self, child);
  };
  walk(walk, 0);
  return filler.take();
}

int ring_hops(const RoomTree& tree, const std::vector<int>& leaves) {
  int hops = 0;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    const int top = common(tree, leaves[i], leaves[(i + 1) % leaves.size()]);
    hops += 2 * (tree.depth - tree.vertices[at(top)].depth);
  }
  return hops;
}

std::vector<int> leaves_of(const RoomTree& tree, const std::vector<int>& taken) {
  std::vector<int> order;
  const std::vector<int> leaves = tree.leaves();
  for (std::size_t i = 0; i < leaves.size(); ++i)
    order.insert(order.end(), at(taken[i]), leaves[i]);
  return order;
}

namespace {

Taken kueue_by(const RoomTree& tree, int count, KueueRequest::Algorithm algorithm) {
  KueueRequest request;
  request.count = count;
  request.level = std::max(1, tree.depth - 1);  // the finest level above nodes, preferred
  request.algorithm = algorithm;
  return kueue(tree, request);
}

using Algorithm = KueueRequest::Algorithm;

constexpr std::array table{
    Rule{"Kueue BestFit", [](const RoomTree& tree,
                             int count) { return kueue_by(tree, count, Algorithm::best_fit); }},
    Rule{"Kueue LeastFreeCapacity",
         [](const RoomTree& tree, int count) {
           return kueue_by(tree, count, Algorithm::least_free);
         }},
    Rule{
        "Kueue BalancedPlacement",
        [](const RoomTree& tree, int count) { return kueue_by(tree, count, Algorithm::balanced); }},
    Rule{"KAI-Scheduler", [](const RoomTree& tree, int count) { return kai(tree, count, 0); }},
    Rule{"Slurm topology/tree", slurm_tree},
    Rule{"dlcalc topoassign", dlcalc},
};

}  // namespace

std::span<const Rule> rules() { return table; }

std::optional<std::vector<int>> nodes_by(const Rule& rule, const RoomTree& tree, int count) {
  const Taken taken = rule.choose(tree, count);
  if (!taken) return std::nullopt;
  std::vector<int> nodes;
  for (const int leaf : leaves_of(tree, *taken)) nodes.push_back(tree.vertices[at(leaf)].node);
  return nodes;
}

}  // namespace sim::place
