#pragma once

#include <vector>

#include "strategies/autoshard/factor_graph.hpp"

namespace strategies::autoshard {

struct MinimiseOptions {
  int first_passes = 50;    ///< of message passing, before the first exact search
  int passes = 1000;        ///< of message passing, at most
  double work = 3e7;        ///< sums that an exact search may take for one variable
  double tolerance = 1e-9;  ///< a gap below this share of the cost is none
};

/// The least of a factor graph, as far as it was found.
struct Minimum {
  std::vector<int> choices;  ///< empty: none was found
  double cost = 0;           ///< infinity: none was found
  double bound = 0;          ///< nothing costs less; infinity: there is no solution
  /// By variable and choice: a solution with that choice costs at least bound plus this.
  std::vector<std::vector<double>> raises;
};

/// Replaces variables of at most two neighbours exactly, bounds the rest by message passing, and
/// then searches exactly among the choices that the bound leaves: when all choices that were left
/// out cost more than what was found, that is the minimum. Of equal choices the first.
/// \pre factors of two variables.
Minimum minimise(const FactorGraph& graph, const MinimiseOptions& options = {});

}  // namespace strategies::autoshard
