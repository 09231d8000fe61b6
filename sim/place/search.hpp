#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/place/cost.hpp"
#include "strategies/rank_grid.hpp"

/// Ways to give every slot a site.
namespace sim::place {

/// A site for each slot, and how it was found.
struct Seating {
  std::vector<int> site_of_slot;
  Cost cost;
  std::string how;
};

Cost cost_of(const Ground& ground, const std::vector<int>& site_of_slot);

/// Slots that must stay in one domain of the slice level: [i * size, (i + 1) * size). 1: no rule.
struct SliceRule {
  int size = 1;
};

bool keeps_slices(const Ground& ground, const std::vector<int>& site_of_slot, SliceRule rule);

// exact.cpp

/// Best of all seatings by branch and bound, nothing after `steps` of it. What is alike is tried
/// once: nodes of a site, and domains of equal inside that nobody sits in yet. `start` prunes.
std::optional<Seating> best_of_all(const Ground& ground, SliceRule rule, const Seating& start,
                                   std::int64_t steps);

/// A step that no seating beats: each demand that is too big for any one domain must be cut there,
/// at least at the least cut of its slots.
double lower_bound(const Ground& ground);

// order.cpp

/// Seatings by rule: slots sorted along the grid, an axis after the other, onto domains that are
/// filled tightly or evenly, by single nodes or whole groups of an axis. Best first.
std::vector<Seating> ordered_seatings(const Ground& ground, SliceRule rule,
                                      const strategies::RankGrid& grid, int ranks_per_slot);

/// Slots on the free nodes in the order of the cluster, as no scheduler with a network does; with
/// slices, each in the first domain that has room. Nothing where slices do not fit.
std::optional<Seating> in_cluster_order(const Ground& ground, SliceRule rule);

// local.cpp

/// Swaps slots, or whole blocks of them, and moves them to free nodes while that helps, for at most
/// `trials` looks.
Seating improved(const Ground& ground, SliceRule rule, Seating seating, int block,
                 std::int64_t trials);

}  // namespace sim::place
