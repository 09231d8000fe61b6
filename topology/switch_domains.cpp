#include "topology/switch_domains.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include "topology/natural_order.hpp"

namespace topology {

namespace {

/// Disjoint sets with path halving and union by size.
class Sets {
 public:
  explicit Sets(std::size_t count) : parent_(count), size_(count, 1) {
    std::iota(parent_.begin(), parent_.end(), std::size_t{0});
  }

  std::size_t find(std::size_t at) {
    for (; parent_[at] != at; at = parent_[at]) parent_[at] = parent_[parent_[at]];
    return at;
  }

  void join(std::size_t a, std::size_t b) {
    a = find(a);
    b = find(b);
    if (a == b) return;
    if (size_[a] < size_[b]) std::swap(a, b);
    parent_[b] = a;
    size_[a] += size_[b];
  }

 private:
  std::vector<std::size_t> parent_;
  std::vector<std::size_t> size_;
};

}  // namespace

SwitchDomains domains_of(std::size_t nodes, std::span<const TieredSwitch> switches,
                         const SwitchJoins& joins) {
  SwitchDomains domains;
  std::map<int, std::vector<std::size_t>> by_tier;
  for (std::size_t i = 0; i < switches.size(); ++i) by_tier[switches[i].tier].push_back(i);
  std::map<int, std::vector<std::pair<std::size_t, std::size_t>>> joined_at;  // as indices of sets
  for (const auto& [from, node] : joins.nodes)
    joined_at[switches[from].tier].push_back({nodes + from, node});
  for (const auto& [a, b] : joins.switches)
    joined_at[std::max(switches[a].tier, switches[b].tier)].push_back({nodes + a, nodes + b});

  Sets sets(nodes + switches.size());
  domains.tiers = static_cast<int>(by_tier.size());
  domains.paths.resize(nodes);
  std::vector<bool> reached(nodes, false);
  for (const auto& [tier, members] : by_tier) {
    for (const auto& [a, b] : joined_at[tier]) sets.join(a, b);
    std::map<std::size_t, std::vector<std::string>> names;  // of the switches of each set
    for (const std::size_t member : members)
      names[sets.find(nodes + member)].push_back(switches[member].name);
    std::map<std::size_t, std::size_t> with_nodes;
    for (std::size_t node = 0; node < nodes; ++node) {
      const auto found = names.find(sets.find(node));
      domains.paths[node].emplace_back();
      if (found == names.end()) continue;
      if (with_nodes.insert({found->first, node}).second)
        std::sort(found->second.begin(), found->second.end(), natural_less);
      domains.paths[node].back() = found->second.front();
      reached[node] = true;
    }
    std::vector<std::pair<std::size_t, std::size_t>> order;  // by first node
    for (const auto& [set, node] : with_nodes)
      if (names[set].size() > 1) order.push_back({node, set});
    std::sort(order.begin(), order.end());
    for (const auto& [node, set] : order) domains.merged.push_back(std::move(names[set]));
  }
  for (std::size_t node = 0; node < nodes; ++node) {
    std::reverse(domains.paths[node].begin(), domains.paths[node].end());
    if (!reached[node]) domains.paths[node].clear();
  }
  return domains;
}

}  // namespace topology
