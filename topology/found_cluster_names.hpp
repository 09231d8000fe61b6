#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "topology/found_cluster.hpp"

/// Words for the values of a FoundCluster, in JSON and for people.
namespace topology {

inline constexpr std::string_view found_cluster_schema = "foreshard.cluster.v1";

inline constexpr std::array<std::pair<std::string_view, FabricRole>, 4> fabric_role_names{{
    {"unknown", FabricRole::unknown},
    {"compute", FabricRole::compute},
    {"storage", FabricRole::storage},
    {"management", FabricRole::management},
}};

inline constexpr std::array<std::pair<std::string_view, CableState>, 3> cable_state_names{{
    {"up", CableState::up},
    {"degraded", CableState::degraded},
    {"down", CableState::down},
}};

/// What people call a switch.
inline const std::string& name_of(const FoundSwitch& found) {
  return found.name.empty() ? found.id : found.name;
}

/// What CableEnd::nic calls a NIC.
inline const std::string& name_of(const FoundNic& nic) {
  return nic.name.empty() ? nic.id : nic.name;
}

/// As far as anybody said: 0 where nobody did.
inline int usable_gpus_of(const FoundNode& node) {
  return std::max(0, node.usable_gpus >= 0 ? node.usable_gpus : node.gpus);
}

}  // namespace topology
