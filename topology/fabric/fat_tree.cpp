#include "topology/fabric/fabric.hpp"

namespace topology::fabric {

/// All NICs of a node are on one leaf, or on one leaf for each of their ports. Spines join the
/// leaves, cores the pods.
void build_fat_tree(const Site& site) {
  const int per_leaf = nodes_per_leaf(site, site.rails());
  const int ports = site.spec.fabric.nic_ports;
  Leaves leaves(site);
  std::vector<DeviceId> rack;  // by port
  for (std::size_t node = 0; node < site.nics.size(); ++node) {
    if (node % static_cast<std::size_t>(per_leaf) == 0) {
      rack.clear();
      for (int port = 0; port < ports; ++port) rack.push_back(leaves.add(port, -1));
    }
    for (std::size_t nic = 0; nic < site.nics[node].size(); ++nic)
      for (const DeviceId leaf : rack) site.attach(node, nic, leaf, -1);
  }
  leaves.join(per_leaf * site.rails());
}

}  // namespace topology::fabric
