#include "viz/cluster_map.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <vector>

#include "tests/support/catch.hpp"

namespace viz {
namespace {

using topology::FoundCluster;
using topology::FoundNode;

/// `nodes` in leaves of `per_leaf`, `leaves_per_spine` below each spine; every third node is taken.
FoundCluster tree(int nodes, int per_leaf, int leaves_per_spine) {
  FoundCluster cluster;
  cluster.levels = {"spine", "leaf"};
  for (int i = 0; i < nodes; ++i) {
    FoundNode node;
    node.name = fmt::format("gpu-{:05}", i);
    node.gpus = 8;
    node.free_gpus = i % 3 == 0 ? 0 : 8;
    const int leaf = i / per_leaf;
    node.domains = {fmt::format("spine-{}", leaf / leaves_per_spine), fmt::format("leaf-{}", leaf)};
    cluster.nodes.push_back(std::move(node));
  }
  return cluster;
}

struct Box {
  double left, right, bottom, top;
  std::string rest;
};

/// What is drawn, in points.
std::vector<Box> boxes_of(const std::string& dot) {
  std::vector<Box> boxes;
  for (std::size_t at = dot.find("[pos="); at != std::string::npos;
       at = dot.find("[pos=", at + 1)) {
    double x = 0, y = 0, width = 0, height = 0;
    REQUIRE(std::sscanf(dot.c_str() + at, "[pos=\"%lf,%lf\", width=%lf, height=%lf", &x, &y, &width,
                        &height) == 4);
    boxes.push_back({x - width * 36, x + width * 36, y - height * 36, y + height * 36,
                     dot.substr(at, dot.find("];", at) - at)});
  }
  return boxes;
}

double shape_of(const std::vector<Box>& boxes) {
  Box all = boxes.front();
  for (const Box& box : boxes)
    all = {std::min(all.left, box.left), std::max(all.right, box.right),
           std::min(all.bottom, box.bottom), std::max(all.top, box.top), ""};
  return (all.right - all.left) / (all.top - all.bottom);
}

/// Boxes of which some text is part, of which none may lie over another.
std::size_t apart(const std::vector<Box>& boxes, const std::string& text) {
  constexpr double rounding = 0.01;
  std::vector<Box> chosen;
  for (const Box& box : boxes)
    if (box.rest.find(text) != std::string::npos) chosen.push_back(box);
  for (std::size_t i = 0; i < chosen.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const Box& a = chosen[i];
      const Box& b = chosen[j];
      if (a.left < b.right - rounding && b.left < a.right - rounding &&
          a.bottom < b.top - rounding && b.bottom < a.top - rounding)
        FAIL(a.rest << " lies over " << b.rest);
    }
  return chosen.size();
}

TEST_CASE("a map of 2,000 nodes has a cell for each and the shape of a screen") {
  // 2000 / 8 = 250 leaves, 16 below each of 15 spines and 10 below the last.
  const std::vector<Box> boxes = boxes_of(cluster_map_dot(map_of_states(tree(2000, 8, 16))));
  CHECK(apart(boxes, "tooltip=\"gpu-") == 2000);
  CHECK(apart(boxes, "label=\"leaf-") == 250);
  CHECK(apart(boxes, "label=\"spine-") == 16);
  CHECK(shape_of(boxes) > 1.2);
  CHECK(shape_of(boxes) < 2);
}

TEST_CASE("a map of 10,000 nodes has bars that tell how many nodes are free") {
  // 10000 / 32 = 312.5: 313 leaves with a part for free and one for taken nodes each.
  const std::string dot = cluster_map_dot(map_of_states(tree(10000, 32, 16)));
  const std::vector<Box> boxes = boxes_of(dot);
  CHECK(apart(boxes, "tooltip=\"gpu-") == 0);
  CHECK(apart(boxes, "label=\"leaf-") == 313);
  CHECK(apart(boxes, " nodes\"") == 626);
  CHECK(dot.find("tooltip=\"free: 21 nodes\"") != std::string::npos);  // 32 - ceil(32 / 3)
  CHECK(shape_of(boxes) > 1.2);
  CHECK(shape_of(boxes) < 2);
}

TEST_CASE("long names lose their middle and names of few nodes stand in their cells") {
  FoundCluster cluster = tree(4, 2, 2);
  cluster.nodes[0].domains[1] = "ocid1.localblock.oc1.eu-frankfurt-1.block1";
  cluster.nodes[1].name = "a \"name\" \\ <b>";
  const std::string dot = cluster_map_dot(map_of_states(cluster));
  CHECK(dot.find("label=\"ocid1…t-1.block1 (1)\\l\"") != std::string::npos);
  CHECK(dot.find("label=\"gpu-00000\"") != std::string::npos);
  CHECK(dot.find("label=\"a \\\"name\\\" \\\\ <b>\"") != std::string::npos);
}

}  // namespace
}  // namespace viz
