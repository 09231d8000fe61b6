#include "sim/collectives/collectives.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace sim::collectives {

const Algorithm& algorithm_for(calibrate::Collective op) {
  const auto found = std::find_if(algorithms.begin(), algorithms.end(),
                                  [&](const Algorithm& a) { return a.supports(op); });
  CHECK_INVARIANT(found != algorithms.end());
  return *found;
}

}  // namespace sim::collectives
