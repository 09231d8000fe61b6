#pragma once

#include <vector>

#include "strategies/autoshard/factor_graph.hpp"

namespace strategies::autoshard {

/// Choices between two solutions, of which `within` keeps a limit that the cheaper `beyond` does
/// not: variables that differ and are joined by factors change together, and each such group adds
/// what it does whatever the others do (path relinking, exact for the sum). Groups change from
/// `within` to `beyond` in the order of what they save for each unit of weight, as long as their
/// weights sum to no more than `room`.
std::vector<int> relinked(const FactorGraph& graph, const std::vector<std::vector<double>>& weights,
                          const std::vector<int>& within, const std::vector<int>& beyond,
                          double room);

}  // namespace strategies::autoshard
