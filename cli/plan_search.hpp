#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "calibrate/calibrated_profile.hpp"
#include "sim/scenario.hpp"
#include "sim/search/search.hpp"

namespace cli {

/// Does pieces of work; texts in, texts out, in their order. Throws base::EnvironmentError when a
/// piece has no answer.
using Workers = std::function<std::vector<std::string>(const std::vector<std::string>& pieces)>;
/// Does one piece.
using Work = std::function<std::string(const std::string& piece)>;

/// In processes of this machine, one a core.
Workers workers_here(Work work);

/// A search over the plans of a scenario: what its tasks are, as texts that any worker can do.
class PlanSearch {
 public:
  /// All but the space must outlive it. `fidelity`: of simulations.
  PlanSearch(const sim::Scenario& scenario, const calibrate::Calibrations& calibrations,
             const calibrate::Profile& profile, sim::search::Space space, sim::Fidelity fidelity);

  const sim::search::Space& space() const { return space_; }
  strategies::Plan plan(const sim::search::PlanCode& code) const { return explorer_.plan(code); }

  /// What workers do.
  std::string perform(const std::string& piece);
  sim::search::Outcome run(const Workers& workers, const sim::search::Options& options) const;

 private:
  sim::Scenario with(const sim::search::PlanCode& code) const;
  sim::search::Check check(const sim::search::PlanCode& code);

  const sim::Scenario& scenario_;
  const calibrate::Calibrations& calibrations_;
  sim::search::Space space_;
  sim::Fidelity fidelity_;
  sim::search::Explorer explorer_;
};

}  // namespace cli
