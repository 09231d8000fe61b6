#pragma once

#include <optional>
#include <string>
#include <vector>

#include "calibrate/calibrated_profile.hpp"
#include "sim/compare/candidates.hpp"
#include "sim/compare/plan_forecast.hpp"
#include "sim/scenario.hpp"
#include "sim/search/summary.hpp"

namespace cli {

/// Tells this build of the program from others: its file's size and the time it was made.
std::string program_identity();

struct SearchOptions {
  std::string state;            ///< SQLite file of what is known so far; empty: none
  std::optional<int> simulate;  ///< plans; nothing: as many as a moment allows
  std::string identity;         ///< everything that the answers depend on beside the space
};

/// The plans that a search found, without prices, and what is to be told of it.
struct FoundPlans {
  sim::search::Summary summary;
  std::vector<sim::compare::PlanForecast> simulated;
  /// When none was simulated: the best by the analytic engine.
  std::vector<sim::compare::Candidate> estimated;
};

/// Searches the plans of a scenario on all cores of this machine, or on the processes of the job
/// that this one is part of; then only its leader has an answer. Ends early on SIGINT, with what is
/// known by then. `shown`: plans that are wanted at most, where none is simulated.
base::Result<std::optional<FoundPlans>> search_plans(const sim::Scenario& scenario,
                                                     const calibrate::Calibrations& calibrations,
                                                     sim::search::Space space,
                                                     sim::Fidelity fidelity, std::size_t shown,
                                                     const SearchOptions& options);

}  // namespace cli
