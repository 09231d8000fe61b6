#include "sim/collectives/double_tree.hpp"

namespace sim::collectives {

namespace {

/// The tree with the root 0, a single child below it and inner nodes on even numbers: the lowest
/// set bit of a number is its height, and its parent has the next higher one set instead, unless
/// that is beyond the end.
int binary_parent(int i, int count) {
  if (i == 0) return -1;
  const int bit = i & -i;
  const int up = (i ^ bit) | (bit << 1);
  return up < count ? up : i ^ bit;
}

}  // namespace

int tree_parent(int tree, int i, int count) {
  if (tree == 0) return binary_parent(i, count);
  if (count % 2 == 0) {
    const int up = binary_parent(count - 1 - i, count);
    return up < 0 ? -1 : count - 1 - up;
  }
  const int up = binary_parent((i + count - 1) % count, count);
  return up < 0 ? -1 : (up + 1) % count;
}

int tree_depth(int count) {
  int deepest = 0;
  // The second tree has the shape of the first.
  for (int i = 0; i < count; ++i) {
    int depth = 0;
    for (int up = binary_parent(i, count); up >= 0; up = binary_parent(up, count)) ++depth;
    deepest = std::max(deepest, depth);
  }
  return deepest;
}

void add_double_tree(const Nodes& nodes, double bytes, Flows& flows) {
  const int count = static_cast<int>(nodes.size());
  for (const int tree : {0, 1})
    for (int i = 0; i < count; ++i) {
      const int up = tree_parent(tree, i, count);
      if (up < 0) continue;
      const std::vector<int>& child = nodes[static_cast<std::size_t>(i)];
      const std::vector<int>& parent = nodes[static_cast<std::size_t>(up)];
      flows.between(child, parent, bytes / 2);
      flows.between(parent, child, bytes / 2);
    }
}

}  // namespace sim::collectives
