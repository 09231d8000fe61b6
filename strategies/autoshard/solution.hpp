#pragma once

#include <optional>
#include <string>
#include <vector>

#include "strategies/autoshard/problem.hpp"

namespace strategies::autoshard {

struct Solution {
  std::vector<int> choices;            ///< of each node
  std::vector<std::vector<int>> ways;  ///< of each edge: arcs of its tensor's layout graph
  base::Seconds time;   ///< the objective: kernels and ways of a step, all copies and micro-batches
  base::Seconds once;   ///< of it, what a step does once, however many micro-batches it has
  base::Seconds bound;  ///< no solution takes less; equal to `time`: optimal
  double memory_bytes = 0;  ///< of a rank

  /// What each of so many micro-batches takes.
  base::Seconds of_micro_batch(int micro_batches) const {
    return (time - once) * (1.0 / micro_batches);
  }
};

/// What a given choice costs: the objective, recomputed from scratch, with the cheapest ways.
Solution price(const Problem& problem, std::vector<int> choices);

}  // namespace strategies::autoshard
