#include "sim/engine/fabric.hpp"

#include <memory>

namespace sim::engine {

std::vector<int> domains_of(const topology::Cluster& cluster) {
  std::vector<int> domains;
  for (topology::GpuId gpu = 0; gpu < static_cast<topology::GpuId>(cluster.gpu_count()); ++gpu) {
    const auto node = static_cast<std::size_t>(cluster.node_of(gpu));
    domains.push_back(cluster.nodes()[node].accelerator_domain);
  }
  return domains;
}

Fabric fabric_of(const topology::Cluster& cluster, topology::RoutingOptions options) {
  Fabric fabric;
  fabric.link_rate.reserve(cluster.link_count());
  for (topology::LinkId link = 0; link < cluster.link_count(); ++link)
    fabric.link_rate.push_back(cluster.link(link).rate.byte());
  fabric.domain_of_gpu = domains_of(cluster);
  for (topology::GpuId gpu = 0; gpu < static_cast<topology::GpuId>(cluster.gpu_count()); ++gpu) {
    const auto node = static_cast<std::size_t>(cluster.node_of(gpu));
    fabric.rail_of_gpu.push_back(cluster.rail_of(gpu));
    fabric.meshed_gpu.push_back(cluster.nodes()[node].type->scale_up ==
                                topology::ScaleUpKind::mesh);
  }
  const auto router = std::make_shared<const topology::Router>(cluster, options);
  fabric.route = [router](topology::GpuId from, topology::GpuId to,
                          std::vector<topology::Route>& routes) {
    return router->route(from, to, routes);
  };
  fabric.bundles = [router] { return std::span<const topology::Bundle>(router->bundles()); };
  return fabric;
}

}  // namespace sim::engine
