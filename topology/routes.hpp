#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "topology/cluster.hpp"

namespace topology {

struct RoutingOptions {
  std::uint64_t ecmp_seed = 0;  ///< equal-cost paths are chosen by a hash of (source, target, seed)
};

/// One of the paths over which a transfer spreads.
struct Route {
  std::vector<std::uint32_t> hops;  ///< in order: a LinkId, or link_count() + index of a bundle
  double share = 1;                 ///< of the bytes
};

/// Cables that adaptive routing (packet spraying) uses as one, ideally balanced.
struct Bundle {
  std::vector<LinkId> links;
  base::BytesPerSecond rate;  ///< of all together
};

/// Paths of transfers between GPUs over the cluster graph. Inside a scale-up domain: over NVLink
/// (or PCIe). Across: GPU, its NIC, fewest switches, the peer's NIC, peer; ties by flow hash.
/// Thread-compatible; keeps a lazily filled table of next hops per target switch.
class Router {
 public:
  Router(const Cluster& cluster, RoutingOptions options);
  ~Router();
  Router(Router&&) noexcept;

  /// Appends the links from `from` to `to` in order. Nothing when they are the same GPU.
  /// \returns false when there is no path.
  bool route(GpuId from, GpuId to, std::vector<LinkId>& links) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace topology
