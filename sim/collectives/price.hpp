#pragma once

#include "sim/collectives/collectives.hpp"

namespace sim::collectives {

/// The cost of an algorithm from physics alone, for one that a user forces and no backend prices.
/// Latency: its rounds, each as long as a link of its kind takes. Wire time: that of the busiest
/// port, every flow at once: out of or into a member inside the node, over a NIC across, which the
/// members on it share. Nothing for protocols, kernels or contention with others: a lower bound.
/// \pre the shape is that of the members.
calibrate::CollectiveCost price(const Algorithm& algorithm, const Demand& demand,
                                std::span<const Member> members,
                                const calibrate::GroupShape& shape);

}  // namespace sim::collectives
