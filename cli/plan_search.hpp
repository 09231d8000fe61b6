#pragma once

#include "calibrate/calibrated_profile.hpp"
#include "sim/scenario.hpp"
#include "sim/search/search.hpp"

namespace cli {

/// A search over the plans of a scenario, with what it needs to do its tasks.
class PlanSearch {
 public:
  /// Both must outlive it. \throws base::EnvironmentError when no process can be started
  PlanSearch(const sim::Scenario& scenario, const calibrate::Calibrations& calibrations,
             sim::search::Space space, const calibrate::MadeProfile& profile);

  const sim::search::Explorer& explorer() const { return explorer_; }
  const sim::search::Space& space() const { return space_; }
  sim::search::Answer perform(const sim::search::Task& task);
  /// The scenario with a plan of the space.
  sim::Scenario with(const sim::search::PlanCode& code) const;

 private:
  sim::search::Confirmation confirm(const sim::search::PlanCode& code) const;

  const sim::Scenario& scenario_;
  const calibrate::Calibrations& calibrations_;
  sim::search::Space space_;
  sim::search::Explorer explorer_;
};

/// Tasks spread over processes on this machine, one a core.
std::vector<sim::search::Answer> perform_in_processes(PlanSearch& search,
                                                      const std::vector<sim::search::Task>& tasks);

}  // namespace cli
