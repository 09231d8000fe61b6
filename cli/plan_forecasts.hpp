#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "calibrate/calibrated_profile.hpp"
#include "sim/compare/candidates.hpp"
#include "sim/compare/plan_forecast.hpp"
#include "sim/engine.hpp"
#include "sim/scenario.hpp"

namespace cli {

/// Forecasts the scenario under its plan; without a name.
base::Result<sim::compare::PlanForecast> plan_forecast(const sim::Scenario& scenario,
                                                       const calibrate::Calibrations& calibrations,
                                                       sim::Fidelity fidelity);

/// Forecasts the scenario under each plan, in worker processes; answers in the order of the plans:
/// a forecast, or why the plan cannot be played (its collectives have no price). Throws
/// base::EnvironmentError when a worker died.
std::vector<base::Result<sim::compare::PlanForecast>> forecast_plans(
    const sim::Scenario& scenario, const std::vector<sim::compare::Candidate>& plans,
    const calibrate::Calibrations& calibrations, sim::Fidelity fidelity,
    const std::function<void(double)>& progress);

}  // namespace cli
