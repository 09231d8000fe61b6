#pragma once

#include <array>

#include "sim/collectives/collectives.hpp"

/// The table of algorithms; only they and `collectives.cpp` see it.
namespace sim::collectives {

bool ring_supports(base::Collective op);
Expansion expand_ring(const Demand& demand, std::span<const Member> members);
bool direct_supports(base::Collective op);
Expansion expand_direct(const Demand& demand, std::span<const Member> members);

inline constexpr std::array table{
    Algorithm{CollectiveAlgorithm::ring, ring_supports, expand_ring},
    Algorithm{CollectiveAlgorithm::direct, direct_supports, expand_direct},
};

}  // namespace sim::collectives
