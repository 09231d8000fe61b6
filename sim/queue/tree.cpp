#include "sim/queue/tree.hpp"

#include <algorithm>
#include <numeric>

#include "base/check.hpp"

namespace sim::queue {

namespace {

using topology::Device;
using topology::DeviceId;
using topology::DeviceKind;

/// Sets of devices that grow together.
class Sets {
 public:
  explicit Sets(std::size_t count) : parent_(count) {
    std::iota(parent_.begin(), parent_.end(), 0U);
  }
  DeviceId root(DeviceId id) {
    while (parent_[id] != id) id = parent_[id] = parent_[parent_[id]];
    return id;
  }
  void join(DeviceId a, DeviceId b) {
    const DeviceId x = root(a);
    const DeviceId y = root(b);
    parent_[std::max(x, y)] = std::min(x, y);
  }

 private:
  std::vector<DeviceId> parent_;
};

std::string_view word_for(DeviceKind kind) {
  return kind == DeviceKind::leaf ? "leaf" : kind == DeviceKind::spine ? "spine" : "core";
}

class Maker {
 public:
  explicit Maker(const topology::Cluster& cluster)
      : cluster_(cluster), sets_(cluster.device_count()) {
    // A node is one thing: what is inside it is not looked at.
    std::vector<DeviceId> first(cluster.nodes().size(), none);
    for (DeviceId id = 0; id < cluster.device_count(); ++id) {
      const Device& device = cluster.device(id);
      highest_ = std::max(highest_, device.tier);
      if (device.node < 0) continue;
      DeviceId& of_node = first[static_cast<std::size_t>(device.node)];
      if (of_node == none) of_node = id;
      sets_.join(of_node, id);
    }
    for (const DeviceId id : first) CHECK_INVARIANT(id != none);
    device_of_node_ = std::move(first);
  }

  Tree make() {
    std::vector<Tree::Level> fine_first;
    fine_first.push_back(level(0));
    for (std::size_t node = 0; node < cluster_.nodes().size(); ++node)
      fine_first.front().domains[node] = cluster_.nodes()[node].name;
    for (int tier = 1; tier <= highest_; ++tier) {
      Tree::Level next = level(tier);
      const bool whole = next.domains.size() == 1;
      if (!whole && next.domains.size() < fine_first.back().domains.size())
        fine_first.push_back(std::move(next));
    }
    const std::size_t nodes = cluster_.nodes().size();
    fine_first.push_back({"cluster", {"cluster"}, std::vector<int>(nodes, 0), {0}, {}});
    Tree tree;
    tree.levels.assign(std::make_move_iterator(fine_first.rbegin()),
                       std::make_move_iterator(fine_first.rend()));
    for (std::size_t l = 0; l + 1 < tree.levels.size(); ++l) find_children(tree, l);
    return tree;
  }

 private:
  static constexpr DeviceId none = static_cast<DeviceId>(-1);

  /// Joins what switches up to `tier` join.
  Tree::Level level(int tier) {
    const auto inside = [&](DeviceId id) {
      const Device& device = cluster_.device(id);
      return device.node >= 0 || (device.tier > 0 && device.tier <= tier);
    };
    if (tier > 0)
      for (topology::LinkId id = 0; id < cluster_.link_count(); ++id) {
        const topology::Link& link = cluster_.link(id);
        if (!link.down && inside(link.from) && inside(link.to)) sets_.join(link.from, link.to);
      }
    Tree::Level made;
    made.name = tier == 0 ? "node" : "";
    std::vector<int> domain(cluster_.device_count(), -1);
    for (const DeviceId device : device_of_node_) {
      int& number = domain[sets_.root(device)];
      if (number < 0) {
        number = static_cast<int>(made.domains.size());
        made.domains.emplace_back();
      }
      made.of_node.push_back(number);
    }
    for (DeviceId id = 0; id < cluster_.device_count() && tier > 0; ++id) {
      const Device& device = cluster_.device(id);
      const int number = domain[sets_.root(id)];
      if (device.tier != tier || number < 0) continue;
      if (made.name.empty()) made.name = word_for(device.kind);
      std::string& name = made.domains[static_cast<std::size_t>(number)];
      if (name.empty()) name = device.name;
    }
    made.uplink.assign(made.domains.size(), 0);
    for (topology::LinkId id = 0; id < cluster_.link_count(); ++id) {
      const topology::Link& link = cluster_.link(id);
      const int from = domain[sets_.root(link.from)];
      if (!link.down && from >= 0 && cluster_.device(link.to).tier > tier)
        made.uplink[static_cast<std::size_t>(from)] += link.rate.byte();
    }
    return made;
  }

  static void find_children(Tree& tree, std::size_t l) {
    Tree::Level& coarse = tree.levels[l];
    const Tree::Level& fine = tree.levels[l + 1];
    coarse.children.resize(coarse.domains.size());
    std::vector<bool> seen(fine.domains.size(), false);
    for (std::size_t node = 0; node < coarse.of_node.size(); ++node) {
      const auto child = static_cast<std::size_t>(fine.of_node[node]);
      if (seen[child]) continue;
      seen[child] = true;
      coarse.children[static_cast<std::size_t>(coarse.of_node[node])].push_back(
          static_cast<int>(child));
    }
  }

  const topology::Cluster& cluster_;
  Sets sets_;
  std::vector<DeviceId> device_of_node_;
  int highest_ = 0;
};

}  // namespace

Tree tree_of(const topology::Cluster& cluster) { return Maker(cluster).make(); }

}  // namespace sim::queue
