#pragma once

#include <array>

#include "sim/collectives/collectives.hpp"

/// The table of algorithms; only they and `collectives.cpp` see it.
namespace sim::collectives {

bool ring_supports(base::Collective op);
Expansion expand_ring(const Demand& demand, std::span<const Member> members);
bool tree_supports(base::Collective op);
Expansion expand_tree(const Demand& demand, std::span<const Member> members);
bool collnet_direct_supports(base::Collective op);
Expansion expand_collnet_direct(const Demand& demand, std::span<const Member> members);
bool collnet_chain_supports(base::Collective op);
Expansion expand_collnet_chain(const Demand& demand, std::span<const Member> members);
bool nvls_supports(base::Collective op);
Expansion expand_nvls(const Demand& demand, std::span<const Member> members);
bool nvls_tree_supports(base::Collective op);
Expansion expand_nvls_tree(const Demand& demand, std::span<const Member> members);
bool pat_supports(base::Collective op);
Expansion expand_pat(const Demand& demand, std::span<const Member> members);
bool recursive_doubling_supports(base::Collective op);
Expansion expand_recursive_doubling(const Demand& demand, std::span<const Member> members);
bool binomial_tree_supports(base::Collective op);
Expansion expand_binomial_tree(const Demand& demand, std::span<const Member> members);
bool hierarchical_supports(base::Collective op);
Expansion expand_hierarchical(const Demand& demand, std::span<const Member> members);
bool direct_supports(base::Collective op);
Expansion expand_direct(const Demand& demand, std::span<const Member> members);
bool rail_aligned_supports(base::Collective op);
Expansion expand_rail_aligned(const Demand& demand, std::span<const Member> members);
bool forwarded_supports(base::Collective op);
Expansion expand_forwarded(const Demand& demand, std::span<const Member> members);

inline constexpr std::array table{
    Algorithm{CollectiveAlgorithm::ring, ring_supports, expand_ring},
    Algorithm{CollectiveAlgorithm::tree, tree_supports, expand_tree},
    Algorithm{CollectiveAlgorithm::collnet_direct, collnet_direct_supports, expand_collnet_direct},
    Algorithm{CollectiveAlgorithm::collnet_chain, collnet_chain_supports, expand_collnet_chain},
    Algorithm{CollectiveAlgorithm::nvls, nvls_supports, expand_nvls},
    Algorithm{CollectiveAlgorithm::nvls_tree, nvls_tree_supports, expand_nvls_tree},
    Algorithm{CollectiveAlgorithm::pat, pat_supports, expand_pat},
    Algorithm{CollectiveAlgorithm::recursive_doubling, recursive_doubling_supports,
              expand_recursive_doubling},
    Algorithm{CollectiveAlgorithm::binomial_tree, binomial_tree_supports, expand_binomial_tree},
    Algorithm{CollectiveAlgorithm::hierarchical, hierarchical_supports, expand_hierarchical},
    Algorithm{CollectiveAlgorithm::direct, direct_supports, expand_direct},
    Algorithm{CollectiveAlgorithm::rail_aligned, rail_aligned_supports, expand_rail_aligned},
    Algorithm{CollectiveAlgorithm::forwarded, forwarded_supports, expand_forwarded},
};

}  // namespace sim::collectives
