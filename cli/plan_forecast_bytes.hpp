#pragma once

#include <string>
#include <string_view>

#include "base/diagnostic.hpp"
#include "sim/compare/plan_forecast.hpp"

namespace cli {

/// A forecast on its way between processes, or why there is none; without its name, plan and price,
/// which whoever asked has.
std::string to_bytes(const base::Result<sim::compare::PlanForecast>& answer);
base::Result<sim::compare::PlanForecast> from_bytes(std::string_view bytes);

}  // namespace cli
