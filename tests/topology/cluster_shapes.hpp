#pragma once

#include <fmt/format.h>

#include <map>
#include <random>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "topology/found_cluster.hpp"
#include "topology/natural_order.hpp"

/// Clusters made up by chance, and what must be left of them after writing and reading.
namespace topology {

/// "n0: 0 0 4" for each node in natural order: for each switch above it, from the root, the number
/// of the first node below that switch. Names of switches, and levels, are not in it: they may
/// change. Nor is a switch that the writer made for nodes beside switches.
inline std::string shape_of(const FoundCluster& found) {
  std::vector<const FoundNode*> nodes;
  for (const FoundNode& node : found.nodes) nodes.push_back(&node);
  std::sort(nodes.begin(), nodes.end(),
            [](const auto* a, const auto* b) { return natural_less(a->name, b->name); });
  std::map<std::vector<std::pair<std::size_t, std::string>>, std::size_t> first;
  std::string text;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    text += nodes[i]->name + ":";
    std::vector<std::pair<std::size_t, std::string>> path;
    for (std::size_t level = 0; level < nodes[i]->domains.size(); ++level) {
      const std::string& name = nodes[i]->domains[level];
      if (name.empty() || name.ends_with(".nodes")) continue;
      path.push_back({level, name});
      text += fmt::format(" {}", first.insert({path, i}).first->second);
    }
    text += "\n";
  }
  return text;
}

/// Up to four levels, gaps, nodes beside switches, several roots, few names for many switches.
inline FoundCluster random_cluster(std::mt19937& random, unsigned nodes) {
  FoundCluster cluster;
  cluster.sources.push_back({"made up", "random", ""});
  const auto levels = 1 + random() % 4;
  for (unsigned i = 0; i < levels; ++i) cluster.levels.push_back(fmt::format("level {}", i));
  const auto names = 1 + random() % 5;
  for (unsigned i = 0; i < nodes; ++i) {
    FoundNode node;
    node.name = fmt::format("{}{:0{}}", random() % 3 == 0 ? "gpu-" : "n", i, random() % 3);
    bool any = false;
    for (unsigned level = 0; level < levels; ++level) {
      const bool gap = random() % 6 == 0 && (any || level + 1 < levels);
      node.domains.push_back(gap ? "" : fmt::format("S{}", random() % names));
      any = any || !gap;
    }
    node.where = {"random", static_cast<int>(i) + 1, 1};
    cluster.nodes.push_back(std::move(node));
  }
  return cluster;
}

/// Switches with names that Slurm does not take: of 100 letters, with spaces and brackets.
inline FoundCluster long_names_cluster() {
  FoundCluster cluster;
  cluster.sources.push_back({"made up", "long", ""});
  cluster.levels = {"spine", "leaf"};
  for (int i = 0; i < 400; ++i) {
    FoundNode node;
    node.name = fmt::format("host{}-{}", i * 37 % 1009, i % 7 == 0 ? "a" : "b");
    node.domains = {"spine [1,2]", std::string(100, 'x') + fmt::format(" leaf={}", i % 9)};
    cluster.nodes.push_back(std::move(node));
  }
  return cluster;
}

}  // namespace topology
