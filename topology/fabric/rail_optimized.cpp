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
///
/// NICs of several ports have a leaf for each: leaf (unit x rails + rail) x ports + port.
void build_rail_optimized(const Site& site) {
  const int per_leaf = nodes_per_leaf(site, 1);
  const int rails = site.rails();
  const int ports = site.spec.fabric.nic_ports;
  Leaves leaves(site);
  std::vector<DeviceId> unit;  // by rail and port
  for (std::size_t node = 0; node < site.nics.size(); ++node) {
    if (node % static_cast<std::size_t>(per_leaf) == 0) {
      unit.clear();
      for (int rail = 0; rail < rails; ++rail)
        for (int port = 0; port < ports; ++port) unit.push_back(leaves.add(port, rail));
    }
    for (int nic = 0; nic < static_cast<int>(site.nics[node].size()); ++nic)
      for (int port = 0; port < ports; ++port)
        site.attach(node, static_cast<std::size_t>(nic),
                    unit[static_cast<std::size_t>(nic * ports + port)], nic);
  }
  leaves.join(per_leaf);
}

}  // namespace topology::fabric
