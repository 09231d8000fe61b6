#include "sim/collectives/collectives.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "sim/collectives/table.hpp"

namespace sim::collectives {

std::span<const Algorithm> algorithms() { return table; }

const Algorithm& algorithm(CollectiveAlgorithm id) {
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const Algorithm& a) { return a.id == id; });
  CHECK_INVARIANT(found != table.end());
  return *found;
}

}  // namespace sim::collectives
