#pragma once

#include <string>

#include "calibrate/profile.hpp"
#include "sim/report.hpp"
#include "sim/scenario.hpp"

namespace sim {

/// What to change in a plan that does not fit: tries the neighbouring plans (the next stages of
/// ZeRO, more recompute, sequence parallelism, twice the tensor or pipeline degree, half the
/// micro-batch, the optimizer on the host) without contention and names the quickest that fits, or
/// else the one that saves most. \pre profile is that of the scenario
std::string advise(const Scenario& scenario, const calibrate::Profile& profile,
                   const MemoryReport& now);

}  // namespace sim
