#include <fmt/format.h>

#include "topology/fabric/fabric.hpp"

namespace topology::fabric {

/// All NICs of a node are on one leaf. Spines join the leaves, cores the pods.
void build_fat_tree(const Site& site) {
  const int per_leaf = nodes_per_leaf(site, site.rails());
  std::vector<DeviceId> leaves;
  for (std::size_t node = 0; node < site.nics.size(); ++node) {
    if (node % static_cast<std::size_t>(per_leaf) == 0)
      leaves.push_back(
          add_device(site.graph, DeviceKind::leaf, fmt::format("leaf-{}", leaves.size())));
    for (std::size_t nic = 0; nic < site.nics[node].size(); ++nic)
      site.attach(node, nic, leaves.back(), -1);
  }
  join_leaves(site, leaves, per_leaf * site.rails());
}

}  // namespace topology::fabric
