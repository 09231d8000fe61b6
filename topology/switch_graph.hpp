#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "topology/cluster.hpp"

/// The switches of a cluster and the live cables between them; internal to the module.
namespace topology {

/// No device, NIC or switch.
inline constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();

/// A link to another switch.
struct Hop {
  LinkId link = 0;
  std::uint32_t to = 0;
};

/// Switches are numbered from 0 in the order of their devices.
class SwitchGraph {
 public:
  static constexpr std::uint16_t unreachable = std::numeric_limits<std::uint16_t>::max();

  explicit SwitchGraph(const Cluster& cluster);

  std::uint32_t size() const { return static_cast<std::uint32_t>(devices_.size()); }
  /// `none` when the device is no switch.
  std::uint32_t index_of(DeviceId device) const { return index_[device]; }
  DeviceId device_of(std::uint32_t at) const { return devices_[at]; }
  std::span<const Hop> hops(std::uint32_t at) const {
    return {hops_.data() + first_hop_[at], first_hop_[at + 1] - first_hop_[at]};
  }
  /// Switches with equal numbers reach each other.
  std::uint32_t part_of(std::uint32_t at) const { return part_[at]; }
  /// Fewest hops of every switch to `target`; found when first asked for.
  const std::vector<std::uint16_t>& distances_to(std::uint32_t target);

 private:
  void number_parts();

  std::vector<std::uint32_t> index_;
  std::vector<DeviceId> devices_;
  std::vector<std::uint32_t> first_hop_;  ///< into `hops_`, by switch; one more at the end
  std::vector<Hop> hops_;
  std::vector<std::uint32_t> part_;
  std::vector<std::vector<std::uint16_t>> distances_;
};

}  // namespace topology
