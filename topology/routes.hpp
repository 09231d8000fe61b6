#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "topology/cluster.hpp"

namespace topology {

/// How switches choose among equal-cost paths.
enum class Routing : std::uint8_t {
  ecmp,      ///< each flow keeps to the path that a hash of it gives
  adaptive,  ///< packets are sprayed over all of them, ideally balanced
};

struct RoutingOptions {
  Routing kind = Routing::ecmp;
  std::uint64_t ecmp_seed = 0;  ///< ECMP hashes (source NIC, target NIC, port, seed)
  /// NCCL's PCI x NVLink: in a fabric with rails, what goes to a GPU of another rail crosses to
  /// that rail over the NVSwitch of the source node, and so needs no spine.
  bool pxn = true;
};

/// One of the paths over which a transfer spreads.
struct Route {
  /// In order: a LinkId, or link_count() plus an index into Router::bundles(). A bundle may be
  /// followed by a larger one that it is part of: the transfer takes its share of both.
  std::vector<std::uint32_t> hops;
  double share = 1;  ///< of the transfer
};

/// Cables that adaptive routing uses as one, ideally balanced.
struct Bundle {
  std::vector<LinkId> links;  ///< ascending
  base::BytesPerSecond rate;  ///< of all
};

/// Paths of transfers between GPUs over the live cables of a cluster. Inside a scale-up domain:
/// over NVLink (or PCIe). Across, or where that is down: GPU, NIC, fewest switches, NIC, GPU. A GPU
/// whose own NIC is down, or cut off from the peer, uses the next one of its node that works.
///
/// Adaptive routing takes all shortest paths between two switches level by level, each level as one
/// bundle; exact where the cables of a level are alike. In a dragonfly each shortest path is a
/// route of its own, with an equal part of what arrives at a switch going to each next cable.
///
/// Thread-compatible; keeps lazily filled tables of what was asked for.
class Router {
 public:
  Router(const Cluster& cluster, RoutingOptions options);
  ~Router();
  Router(Router&&) noexcept;

  /// Appends the routes of a transfer; their shares add up to 1. One without hops when both are the
  /// same GPU. \returns false when there is no path.
  bool route(GpuId from, GpuId to, std::vector<Route>& routes) const;

  /// What routes so far named; grows as more are asked for.
  const std::vector<Bundle>& bundles() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace topology
