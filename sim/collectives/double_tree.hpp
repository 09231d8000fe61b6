#pragma once

#include "sim/collectives/layout.hpp"

/// The double binary tree over nodes: each of two trees carries half of the buffer, and who is
/// inner in one is a leaf in the other, so that all links work in both directions (Sanders, Speck,
/// Traeff: Two-tree algorithms for full bandwidth broadcast, reduction and scan, 2009). Numbered as
/// NCCL does (trees.cc): the second tree is the first one mirrored when the count is even, shifted
/// by one when it is odd.
namespace sim::collectives {

/// Parent of node `i` of `count` in `tree` 0 or 1; -1 for the root.
int tree_parent(int tree, int i, int count);

/// Hops from the farthest node to the root, in the deeper of both trees.
int tree_depth(int count);

/// Half of `bytes` in each tree from every node to its parent and back.
void add_double_tree(const Nodes& nodes, double bytes, Flows& flows);

}  // namespace sim::collectives
