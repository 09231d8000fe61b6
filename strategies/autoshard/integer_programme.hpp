#pragma once

#include <limits>
#include <vector>

#include "strategies/autoshard/factor_graph.hpp"

namespace strategies::autoshard {

/// low <= sum of the weights of the choices <= high.
struct LinearRange {
  std::vector<std::vector<double>> weights;  ///< by variable and choice
  double low = 0;
  double high = std::numeric_limits<double>::infinity();
};

struct IntegerMinimum {
  std::vector<int> choices;  ///< empty: none was found
  double bound = 0;          ///< no choices within the range cost less; at most the cutoff
};

/// The least of a factor graph within a linear range, by branch and cut, if it is less than
/// `cutoff`. Ends after `nodes` of the search tree at the latest, and does not begin where the
/// graph is too large for it, so the same graph gives the same answer on every machine. \pre
/// factors of two variables.
IntegerMinimum minimise_integer(const FactorGraph& graph, const LinearRange& range, double cutoff,
                                int nodes);

}  // namespace strategies::autoshard
