#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "topology/cluster.hpp"

namespace topology {

/// "2,048 x dgx-h100 (16,384 x H100-SXM5-80GB), rail-optimised, 8 rails".
std::string summary(const Cluster& cluster);

/// All live cables between two levels of the network.
struct Tier {
  DeviceKind lower = DeviceKind::nic;
  DeviceKind upper = DeviceKind::leaf;
  int cables = 0;
  base::BytesPerSecond rate;    ///< of all cables, one direction, usable
  double oversubscription = 1;  ///< rate into `lower` from below over `rate`; below 1: spare
};

/// Tiers from the NICs upwards, of networks that are levels above each other. As built: a unit that
/// is not full is less oversubscribed than asked for.
std::vector<Tier> tiers(const Cluster& cluster);

/// 16384 as "16,384".
std::string grouped(std::int64_t number);

}  // namespace topology
