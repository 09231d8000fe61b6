#pragma once

#include <nlohmann/json.hpp>

#include "sim/report.hpp"

/// Not for use outside viz.
namespace viz {

/// Adds what a step spends beside kernels of forward, backward and recompute; with those, which the
/// caller has put there, all keys add up to the step.
void add_beside_kernels(const sim::Breakdown& breakdown, nlohmann::ordered_json& json);

}  // namespace viz
