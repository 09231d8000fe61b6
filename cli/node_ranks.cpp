#include "cli/node_ranks.hpp"

#include <algorithm>
#include <map>

namespace cli {

int ranks_of_fullest_node(const sim::Scenario& scenario) {
  std::map<int, int> ranks;
  int most = 0;
  for (const topology::GpuId gpu : sim::place_ranks(scenario))
    most = std::max(most, ++ranks[scenario.cluster.node_of(gpu)]);
  return most;
}

}  // namespace cli
