#pragma once

#include <functional>
#include <span>
#include <vector>

#include "topology/cluster.hpp"
#include "topology/routes.hpp"

/// Parts of the simulator behind `simulate`; nothing here is for other modules.
namespace sim::engine {

/// What the simulation needs to know of a cluster.
struct Fabric {
  std::vector<double> link_rate;   ///< bytes a second, by LinkId
  std::vector<int> domain_of_gpu;  ///< scale-up domain
  std::vector<int> rail_of_gpu;    ///< NIC that it uses, counted in its node
  std::vector<bool> meshed_gpu;    ///< has a link of its own to every other GPU of its domain
  /// Appends the paths between two GPUs, see topology::Router; false when there is none.
  std::function<bool(topology::GpuId, topology::GpuId, std::vector<topology::Route>&)> route;
  /// Bundles that the routes so far refer to; null where there are none.
  std::function<std::span<const topology::Bundle>()> bundles;

  /// Calls `visit(number, link, rate)` for each cable of each bundle. Bundles are numbered behind
  /// the links; `rate` is the bundle's, bytes a second.
  template <class Visit>
  void each_bundled_link(const Visit& visit) const {
    if (!bundles) return;
    std::size_t number = link_rate.size();
    for (const topology::Bundle& bundle : bundles()) {
      for (const topology::LinkId link : bundle.links) visit(number, link, bundle.rate.byte());
      ++number;
    }
  }
};

/// Scale-up domain of each GPU.
std::vector<int> domains_of(const topology::Cluster& cluster);

Fabric fabric_of(const topology::Cluster& cluster, topology::RoutingOptions options);

}  // namespace sim::engine
