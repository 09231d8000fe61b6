#include <fmt/format.h>

#include "topology/fabric/fabric.hpp"

namespace topology::fabric {

/// Scalable units (SU) of `nodes_per_leaf` nodes; in each, one leaf per rail: NIC r of every node
/// of the SU is on leaf r, so GPUs of equal index are one switch apart. Spines join all leaves.
///
///     node 0: nic 0   nic 1        node 1: nic 0   nic 1
///               |       +----------------+-|-------+
///               +----------+-------------|-+
///                       leaf 0         leaf 1
///                          +--- spines ---+
void build_rail_optimized(const Site& site) {
  const int per_leaf = nodes_per_leaf(site, 1);
  const int rails = site.rails();
  std::vector<DeviceId> leaves;
  for (std::size_t node = 0; node < site.nics.size(); ++node) {
    const std::size_t unit = node / static_cast<std::size_t>(per_leaf);
    const std::size_t first = unit * static_cast<std::size_t>(rails);
    while (leaves.size() < first + static_cast<std::size_t>(rails)) {
      const int rail = static_cast<int>(leaves.size() % static_cast<std::size_t>(rails));
      leaves.push_back(add_device(site.graph, DeviceKind::leaf,
                                  fmt::format("leaf-{}", leaves.size()), -1, rail));
    }
    for (std::size_t nic = 0; nic < site.nics[node].size(); ++nic)
      site.attach(node, nic, leaves[first + nic], static_cast<int>(nic));
  }
  join_leaves(site, leaves, per_leaf);
}

}  // namespace topology::fabric
