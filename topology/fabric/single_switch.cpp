#include "topology/fabric/fabric.hpp"

namespace topology::fabric {

/// One ideal switch with as many ports as there are NICs: only NICs limit.
void build_single_switch(const Site& site) {
  const DeviceId all = add_device(site.graph, DeviceKind::leaf, "switch");
  for (std::size_t node = 0; node < site.nics.size(); ++node)
    for (std::size_t nic = 0; nic < site.nics[node].size(); ++nic) site.attach(node, nic, all, -1);
}

}  // namespace topology::fabric
