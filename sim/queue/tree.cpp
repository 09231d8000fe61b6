#include "sim/queue/tree.hpp"

#include <algorithm>
#include <array>

namespace sim::queue {

namespace {

std::size_t at(int i) { return static_cast<std::size_t>(i); }

std::string level_name(std::size_t above_nodes) {
  constexpr std::array names{"leaf", "spine", "core"};
  return names[std::min(above_nodes, names.size() - 1)];
}

void find_children(Tree& tree, std::size_t l) {
  Tree::Level& coarse = tree.levels[l];
  const Tree::Level& fine = tree.levels[l + 1];
  coarse.children.resize(coarse.domains.size());
  std::vector<bool> seen(fine.domains.size(), false);
  for (std::size_t node = 0; node < coarse.of_node.size(); ++node) {
    const std::size_t child = at(fine.of_node[node]);
    if (seen[child]) continue;
    seen[child] = true;
    coarse.children[at(coarse.of_node[node])].push_back(static_cast<int>(child));
  }
}

/// The domains of one depth of the network; a node that is in none of them is one by itself.
Tree::Level level_at(const topology::Cluster& cluster, const topology::NetworkTree& network,
                     int depth, const std::vector<double>& nic_rate) {
  Tree::Level level;
  std::vector<int> number(network.domains.size(), -1);
  const auto add = [&](std::string name, double uplink, int of_network) {
    level.domains.push_back(std::move(name));
    level.uplink.push_back(uplink);
    level.network.push_back(of_network);
    return static_cast<int>(level.domains.size()) - 1;
  };
  for (std::size_t node = 0; node < cluster.nodes().size(); ++node) {
    int domain = network.home[node];
    while (network.domains[at(domain)].depth > depth) domain = network.domains[at(domain)].parent;
    const topology::NetworkDomain& found = network.domains[at(domain)];
    if (found.depth < depth)
      level.of_node.push_back(add(cluster.nodes()[node].name, nic_rate[node], -1));
    else if (number[at(domain)] < 0)
      level.of_node.push_back(number[at(domain)] = add(found.name, found.up.byte(), domain));
    else
      level.of_node.push_back(number[at(domain)]);
  }
  return level;
}

}  // namespace

std::vector<int> usable_gpus(const topology::Cluster& cluster) {
  std::vector<int> gpus;
  for (const topology::NodeInfo& node : cluster.nodes())
    gpus.push_back(!node.unavailable.empty() ? 0
                   : node.free_gpus >= 0     ? std::min(node.free_gpus, node.gpus)
                                             : node.gpus);
  return gpus;
}

std::vector<double> nic_rates(const topology::Cluster& cluster) {
  std::vector<double> rates(cluster.nodes().size(), 0);
  for (topology::LinkId id = 0; id < cluster.link_count(); ++id) {
    const topology::Link& link = cluster.link(id);
    const topology::Device& from = cluster.device(link.from);
    if (from.kind == topology::DeviceKind::nic && !link.down && cluster.device(link.to).tier > 0)
      rates[at(from.node)] += link.rate.byte();
  }
  return rates;
}

Tree tree_of(const topology::Cluster& cluster) {
  Tree tree;
  tree.cluster = cluster;
  tree.network = topology::network_tree(cluster);
  const topology::NetworkTree& network = tree.network;
  const std::vector<double> nic_rate = nic_rates(cluster);
  int deepest = 0;
  for (const topology::NetworkDomain& domain : network.domains)
    deepest = std::max(deepest, domain.depth);
  for (int depth = 0; depth <= deepest; ++depth) {
    tree.levels.push_back(level_at(cluster, network, depth, nic_rate));
    tree.levels.back().name = depth == 0 ? "cluster" : level_name(at(deepest - depth));
  }
  Tree::Level nodes{"node", {}, {}, nic_rate, {}, std::vector<int>(nic_rate.size(), -1)};
  for (const topology::NodeInfo& node : cluster.nodes()) {
    nodes.of_node.push_back(static_cast<int>(nodes.domains.size()));
    nodes.domains.push_back(node.name);
  }
  tree.levels.push_back(std::move(nodes));
  for (std::size_t level = 0; level + 1 < tree.levels.size(); ++level) find_children(tree, level);
  return tree;
}

}  // namespace sim::queue
