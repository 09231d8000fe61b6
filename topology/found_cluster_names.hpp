#pragma once

#include <array>
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

}  // namespace topology
