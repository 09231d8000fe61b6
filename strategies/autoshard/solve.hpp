#pragma once

#include <limits>
#include <tl/expected.hpp>

#include "strategies/autoshard/factor_graph.hpp"
#include "strategies/autoshard/pricing.hpp"
#include "strategies/autoshard/solution.hpp"

namespace strategies::autoshard {

/// What a rank may keep, with Problem::fixed_bytes; both ends belong to it.
struct MemoryRange {
  double low = 0;
  double high = std::numeric_limits<double>::infinity();

  /// Up to the rounding of a sum.
  bool contains(double bytes) const {
    return low * (1 - 1e-9) <= bytes && bytes <= high * (1 + 1e-9);
  }
};

struct SolveOptions {
  MemoryRange memory;
  Domains allowed;  ///< choices of each node; empty: all
  /// Solutions that take as long are of no use, which ends the search sooner.
  base::Seconds quicker_than = base::Seconds::from_us(std::numeric_limits<double>::infinity());
  int nodes = 200;  ///< of the integer programme's search tree, at most
};

/// Why there is no solution.
struct NoSolution {
  enum class Reason {
    choices,  ///< no choices fit together
    memory,   ///< none of those that do is within the range
    slower,   ///< none of those within the range is as quick as asked
    unknown,  ///< the search ended before it found one
  };
  Reason reason = Reason::choices;
  /// The end of what can be kept that is nearest to the range; for `memory`.
  double nearest_bytes = 0;
};

/// The quickest solution within the limits, and a bound of how quick any can be. Without a memory
/// limit that binds: minimise(). With one: its price per byte is raised until solutions are within
/// the range (Lagrangian relaxation; each price gives a bound), what lies between two of them is
/// tried, and an integer programme of the choices that this leaves closes the gap. Of equally quick
/// solutions the one with the fewest arcs, and then with the lowest choices.
tl::expected<Solution, NoSolution> solve(const Pricing& pricing, const SolveOptions& options);

tl::expected<Solution, NoSolution> solve(const Problem& problem, const SolveOptions& options);

}  // namespace strategies::autoshard
