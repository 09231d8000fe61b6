#include <fmt/format.h>

#include <algorithm>

#include "topology/fabric/fabric.hpp"

namespace topology::fabric {

namespace {

struct Sizes {
  int nodes_per_router = 0;
  int routers = 0;  ///< of a group
  int groups = 0;
  int links_per_pair = 0;  ///< between two groups
};

/// All groups are complete, the last one too, though it may have routers without nodes.
Sizes size_groups(const Site& site) {
  const FabricSpec& fabric = site.spec.fabric;
  const int rails = site.rails();
  const int network_ports = fabric.routers_per_group - 1 + fabric.global_links_per_router;
  Sizes sizes;
  sizes.nodes_per_router =
      fabric.nodes_per_leaf > 0
          ? fabric.nodes_per_leaf
          : std::max(1, (fabric.switch_ports - network_ports) / std::max(1, rails));
  if (sizes.nodes_per_router * rails + network_ports > fabric.switch_ports) {
    site.error(fmt::format("a router needs {} ports to NICs, {} in its group and {} to other "
                           "groups, but 'switch_ports' is {}",
                           sizes.nodes_per_router * rails, fabric.routers_per_group - 1,
                           fabric.global_links_per_router, fabric.switch_ports),
               "lower 'nodes_per_leaf', 'routers_per_group' or 'global_links_per_router'");
    return sizes;
  }
  const int nodes = static_cast<int>(site.nics.size());
  const long long per_group =
      static_cast<long long>(sizes.nodes_per_router) * fabric.routers_per_group;
  sizes.routers = fabric.routers_per_group;
  sizes.groups = static_cast<int>((nodes + per_group - 1) / per_group);
  const double local = 0.5 * sizes.routers * (sizes.routers - 1);
  const double across = sizes.groups < 2 ? 0 : 0.5 * sizes.routers * fabric.global_links_per_router;
  if (!site.affordable(sizes.groups * (local + across)) || sizes.groups < 2) return sizes;
  const int global = sizes.routers * fabric.global_links_per_router;
  sizes.links_per_pair = global / (sizes.groups - 1);
  if (sizes.links_per_pair == 0)
    site.error(fmt::format("{} groups need {} global links each, but {} routers with {} have {}",
                           sizes.groups, sizes.groups - 1, sizes.routers,
                           fabric.global_links_per_router, global),
               "raise 'global_links_per_router', 'routers_per_group' or 'nodes_per_leaf'");
  return sizes;
}

}  // namespace

/// Groups of routers, each joined to every other of its group; every pair of groups is joined by
/// equally many global links, dealt to the routers in order. Only shortest paths are used: a real
/// dragonfly also detours under load, so congestion between two groups is overstated here.
void build_dragonfly(const Site& site) {
  const FabricSpec& fabric = site.spec.fabric;
  if (fabric.routers_per_group < 1) {
    site.error("a dragonfly needs 'routers_per_group'");
    return;
  }
  const Sizes sizes = size_groups(site);
  if (base::has_errors(site.problems)) return;
  std::vector<std::vector<DeviceId>> groups(static_cast<std::size_t>(sizes.groups));
  for (std::size_t g = 0; g < groups.size(); ++g)
    for (int r = 0; r < sizes.routers; ++r) {
      groups[g].push_back(
          add_device(site.graph, DeviceKind::leaf, fmt::format("group-{}/router-{}", g, r)));
      for (int other = 0; other < r; ++other)
        site.trunk(groups[g][static_cast<std::size_t>(other)], groups[g].back(), 1);
    }
  for (std::size_t node = 0; node < site.nics.size(); ++node) {
    const std::size_t router = node / static_cast<std::size_t>(sizes.nodes_per_router);
    const std::size_t per_group = static_cast<std::size_t>(sizes.routers);
    for (std::size_t nic = 0; nic < site.nics[node].size(); ++nic)
      site.attach(node, nic, groups[router / per_group][router % per_group], -1);
  }
  const auto per_pair = static_cast<std::size_t>(sizes.links_per_pair);
  const auto per_router = static_cast<std::size_t>(std::max(1, fabric.global_links_per_router));
  for (std::size_t a = 0; a < groups.size(); ++a)
    for (std::size_t b = a + 1; b < groups.size(); ++b)
      for (std::size_t k = 0; k < per_pair; ++k)
        // Seen from a, b is peer b - 1; seen from b, a is peer a.
        site.trunk(groups[a][((b - 1) * per_pair + k) / per_router],
                   groups[b][(a * per_pair + k) / per_router], 1);
}

}  // namespace topology::fabric
