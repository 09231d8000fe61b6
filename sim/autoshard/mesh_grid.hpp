#pragma once

#include <vector>

#include "strategies/placement/mesh.hpp"
#include "strategies/rank_grid.hpp"

namespace sim::autoshard {

/// The axis that each mesh dim is of the grid of ranks. \pre 1 to 3 mesh dims.
std::vector<strategies::Axis> axes_of(const strategies::placement::Mesh& mesh);

/// The ranks of a mesh as a grid, with the same numbers.
strategies::RankGrid grid_of(const strategies::placement::Mesh& mesh);

}  // namespace sim::autoshard
