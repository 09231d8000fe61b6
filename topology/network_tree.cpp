#include "topology/network_tree.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/pending/disjoint_sets.hpp>
#include <map>
#include <numeric>
#include <utility>

#include "topology/graph.hpp"

namespace topology {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// Nodes and switches, joined step by step. Elements are devices; a node is its first device.
class Joined {
 public:
  explicit Joined(const Cluster& cluster)
      : cluster_(cluster), parent_(cluster.device_count()), rank_(cluster.device_count(), 0) {
    std::iota(parent_.begin(), parent_.end(), DeviceId{0});
    first_of_node_.assign(cluster.nodes().size(), none);
    for (DeviceId id = 0; id < cluster.device_count(); ++id) {
      const Device& device = cluster.device(id);
      highest_ = std::max(highest_, device.tier);
      if (device.node < 0) continue;
      DeviceId& first = first_of_node_[at(device.node)];
      if (first == none) first = id;
      sets_.union_set(id, first);
    }
  }

  int highest() const { return highest_; }
  DeviceId set_of(DeviceId device) { return sets_.find_set(device); }
  DeviceId set_of_node(int node) { return set_of(first_of_node_[at(node)]); }

  /// Joins what live cables join: nodes with switches up to `tier`, and with `across` switches up
  /// to it with each other.
  void join(int tier, bool across) {
    for (LinkId id = 0; id < cluster_.link_count(); id += 2) {
      const Link& link = cluster_.link(id);
      const Device& a = cluster_.device(link.from);
      const Device& b = cluster_.device(link.to);
      const bool inside = a.node >= 0 && b.node >= 0;
      const bool both = a.node < 0 && b.node < 0;
      if (link.down || inside || (both && !across) || std::max(a.tier, b.tier) > tier) continue;
      sets_.union_set(link.from, link.to);
    }
  }

 private:
  static constexpr DeviceId none = ~DeviceId{0};
  const Cluster& cluster_;
  std::vector<DeviceId> parent_;
  std::vector<int> rank_;
  boost::disjoint_sets<int*, DeviceId*> sets_{rank_.data(), parent_.data()};
  std::vector<DeviceId> first_of_node_;
  int highest_ = 0;
};

/// One step of joining: the domain of each node, what each is called and how wide its way out is.
struct Step {
  std::vector<int> domain_of;
  std::vector<std::string> names;
  std::vector<base::BytesPerSecond> up;
  std::vector<int> tier;  ///< of its highest switch; 0: it has none
};

Step step_of(const Cluster& cluster, Joined& joined) {
  Step step;
  std::map<DeviceId, int> number;
  for (int node = 0; node < static_cast<int>(cluster.nodes().size()); ++node)
    step.domain_of.push_back(
        number.emplace(joined.set_of_node(node), static_cast<int>(number.size())).first->second);
  const std::size_t count = number.size();
  step.up.resize(count);
  std::vector<int>& tier = step.tier;
  tier.assign(count, 0);
  std::vector<std::pair<DeviceId, DeviceId>> tops(count);  // first and last of the highest tier
  for (DeviceId id = 0; id < cluster.device_count(); ++id) {
    const Device& device = cluster.device(id);
    const auto found = number.find(joined.set_of(id));
    if (device.node >= 0 || found == number.end()) continue;
    const std::size_t domain = at(found->second);
    if (device.tier > tier[domain]) tops[domain].first = id;
    if (device.tier >= tier[domain]) tops[domain].second = id;
    tier[domain] = std::max(tier[domain], device.tier);
  }
  for (LinkId id = 0; id < cluster.link_count(); ++id) {
    const Link& link = cluster.link(id);
    if (link.down || joined.set_of(link.from) == joined.set_of(link.to)) continue;
    const auto found = number.find(joined.set_of(link.from));
    if (found != number.end()) step.up[at(found->second)] += link.rate;
  }
  for (std::size_t domain = 0; domain < count; ++domain) {
    const auto& [first, last] = tops[domain];
    std::string name = tier[domain] > 0 ? cluster.device(first).name : std::string();
    if (first != last) name += " to " + cluster.device(last).name;
    step.names.push_back(std::move(name));
  }
  return step;
}

/// Steps from the edge switches upwards.
std::vector<Step> steps_of(const Cluster& cluster) {
  Joined joined(cluster);
  std::vector<Step> steps;
  joined.join(1, false);
  steps.push_back(step_of(cluster, joined));
  for (int tier = 1; tier < joined.highest(); ++tier) {
    joined.join(tier, true);
    steps.push_back(step_of(cluster, joined));
  }
  return steps;
}

}  // namespace

NetworkTree network_tree(const Cluster& cluster) {
  NetworkTree tree;
  const int nodes = static_cast<int>(cluster.nodes().size());
  tree.domains.push_back({.name = "the whole network", .nodes = nodes, .up = {}});
  tree.home.assign(at(nodes), 0);
  for (DeviceId id = 0; id < cluster.device_count(); ++id)
    tree.rails = tree.rails || (is_switch(cluster.device(id).kind) && cluster.device(id).rail >= 0);
  std::vector<Step> steps = steps_of(cluster);
  for (auto step = steps.rbegin(); step != steps.rend(); ++step) {
    std::vector<int> size(step->names.size(), 0);
    for (const int domain : step->domain_of) ++size[at(domain)];
    std::vector<int> made(step->names.size(), -1);
    for (int node = 0; node < nodes; ++node) {
      const std::size_t domain = at(step->domain_of[at(node)]);
      if (step->tier[domain] == 0) continue;  // a node that hangs from a higher switch
      int& number = made[domain];
      const int parent = tree.home[at(node)];
      if (number < 0 && tree.domains[at(parent)].nodes == size[domain]) {
        number = parent;
        NetworkDomain& same = tree.domains[at(parent)];
        if (parent != 0) same.up = std::min(same.up, step->up[domain]);
        if (parent != 0) same.name = step->names[domain];
        if (parent != 0) same.tier = step->tier[domain];
      } else if (number < 0) {
        number = static_cast<int>(tree.domains.size());
        tree.domains.push_back({step->names[domain], parent, step->tier[domain],
                                tree.domains[at(parent)].depth + 1, size[domain],
                                step->up[domain]});
      }
      tree.home[at(node)] = number;
    }
  }
  return tree;
}

namespace {

std::vector<Level> label_levels(const Cluster& cluster) {
  std::vector<Level> levels;
  for (std::size_t depth = 0; depth < cluster.levels().size(); ++depth) {
    Level level{cluster.levels()[depth], {}, {}};
    std::map<std::string, int> number;  // by path: names are unique under one parent only
    for (const NodeInfo& node : cluster.nodes()) {
      int domain = -1;
      if (depth < node.domains.size() && !node.domains[depth].empty()) {
        std::string path;
        for (std::size_t i = 0; i <= depth; ++i) path += (i == 0 ? "" : "/") + node.domains[i];
        const auto [found, fresh] = number.emplace(path, static_cast<int>(number.size()));
        if (fresh) level.domain_names.push_back(path);
        domain = found->second;
      }
      level.domain_of.push_back(domain);
    }
    levels.push_back(std::move(level));
  }
  return levels;
}

std::vector<Level> tier_levels(const Cluster& cluster) {
  Joined joined(cluster);
  std::vector<Level> levels;
  constexpr std::array names{"leaf", "spine", "core"};
  for (int tier = 1; tier <= std::min(joined.highest(), static_cast<int>(names.size())); ++tier) {
    joined.join(tier, tier > 1);
    Step step = step_of(cluster, joined);
    for (int& domain : step.domain_of)
      if (step.tier[at(domain)] == 0) domain = -1;
    levels.insert(levels.begin(),
                  {names[at(tier - 1)], std::move(step.domain_of), std::move(step.names)});
  }
  return levels;
}

}  // namespace

std::vector<Level> named_levels(const Cluster& cluster) {
  std::vector<Level> levels =
      cluster.levels().empty() ? tier_levels(cluster) : label_levels(cluster);
  Level accelerator{"accelerator", {}, {}};
  std::map<int, int> number;
  for (const NodeInfo& node : cluster.nodes()) {
    const auto [found, fresh] =
        number.emplace(node.accelerator_domain, static_cast<int>(number.size()));
    if (fresh) accelerator.domain_names.push_back(node.name);
    accelerator.domain_of.push_back(found->second);
  }
  if (number.size() < cluster.nodes().size()) levels.push_back(std::move(accelerator));
  return levels;
}

}  // namespace topology
