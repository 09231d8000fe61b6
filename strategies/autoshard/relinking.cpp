#include "strategies/autoshard/relinking.hpp"

#include <algorithm>
#include <numeric>

namespace strategies::autoshard {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Variables that change together.
struct Group {
  std::vector<int> variables;
  double saves = 0;
  double weight = 0;
};

std::vector<Group> groups_of(const FactorGraph& graph, const std::vector<int>& within,
                             const std::vector<int>& beyond) {
  std::vector<int> root(within.size());
  std::iota(root.begin(), root.end(), 0);
  const auto find = [&](int v) {
    while (root[at(v)] != v) v = root[at(v)] = root[at(root[at(v)])];
    return v;
  };
  const auto differs = [&](int v) { return within[at(v)] != beyond[at(v)]; };
  for (const Factor& factor : graph.factors)
    for (std::size_t a = 1; a < factor.scope.size(); ++a)
      if (differs(factor.scope[0]) && differs(factor.scope[a]))
        root[at(find(factor.scope[a]))] = find(factor.scope[0]);
  std::vector<Group> groups;
  std::vector<int> group_of(within.size(), -1);
  for (int v = 0; v < graph.variables(); ++v) {
    if (!differs(v)) continue;
    int& group = group_of[at(find(v))];
    if (group < 0) {
      group = static_cast<int>(groups.size());
      groups.emplace_back();
    }
    groups[at(group)].variables.push_back(v);
  }
  return groups;
}

}  // namespace

std::vector<int> relinked(const FactorGraph& graph, const std::vector<std::vector<double>>& weights,
                          const std::vector<int>& within, const std::vector<int>& beyond,
                          double room) {
  std::vector<Group> groups = groups_of(graph, within, beyond);
  const double before = total_cost(graph, within);
  for (Group& group : groups) {
    std::vector<int> changed = within;
    for (const int v : group.variables) {
      changed[at(v)] = beyond[at(v)];
      group.weight += weights[at(v)][at(beyond[at(v)])] - weights[at(v)][at(within[at(v)])];
    }
    group.saves = before - total_cost(graph, changed);
  }
  std::erase_if(groups, [](const Group& group) { return !(group.saves > 0); });
  std::stable_sort(groups.begin(), groups.end(), [](const Group& a, const Group& b) {
    return a.saves * std::max(b.weight, 0.0) > b.saves * std::max(a.weight, 0.0);
  });
  std::vector<int> choices = within;
  for (const Group& group : groups) {
    if (group.weight > room) continue;
    room -= group.weight;
    for (const int v : group.variables) choices[at(v)] = beyond[at(v)];
  }
  return choices;
}

}  // namespace strategies::autoshard
