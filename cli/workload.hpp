#pragma once

#include <functional>
#include <vector>

#include "cli/forecast.hpp"
#include "sim/contention.hpp"
#include "sim/queue/queue.hpp"
#include "sim/workload.hpp"

namespace cli {

/// Several jobs as they were played side by side.
struct SharedForecast {
  std::vector<sim::Report> reports;  ///< by job: of a step beside the others
  sim::ContentionReport contention;
};

/// Plays each job alone, then all at once. \pre the fidelity plays links, the workload has no queue
base::Result<SharedForecast> forecast_together(const sim::Workload& workload,
                                               const calibrate::Calibrations& calibrations,
                                               sim::Fidelity fidelity,
                                               const std::function<void(double)>& progress);

/// Jobs as a queue plays them.
struct QueueForecast {
  std::vector<std::string> names;             ///< by job
  std::vector<sim::queue::QueueReport> runs;  ///< by policy of the workload
};

/// \pre the workload has a queue
base::Result<QueueForecast> forecast_queue(const sim::Workload& workload,
                                           const calibrate::Calibrations& calibrations);

}  // namespace cli
