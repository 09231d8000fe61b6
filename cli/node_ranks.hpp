#pragma once

#include "sim/scenario.hpp"

namespace cli {

/// Ranks of a scenario on the node that has most of them.
int ranks_of_fullest_node(const sim::Scenario& scenario);

}  // namespace cli
