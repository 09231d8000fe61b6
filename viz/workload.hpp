#pragma once

#include <string>
#include <vector>

#include "sim/contention.hpp"
#include "sim/queue/queue.hpp"
#include "sim/report.hpp"
#include "viz/viz.hpp"

namespace viz {

/// What is said of a workload beside its answer.
struct WorkloadHead {
  std::string name;
  std::string cluster;
  base::Diagnostics notes;
};

/// How fast each job is alone and beside the others, and the links they met on.
std::string contention_text(const WorkloadHead& head, const sim::ContentionReport& report,
                            const TextOptions& options);
/// "foreshard.jobs.v1": a report for each job, and what they cost each other.
std::string contention_json(const WorkloadHead& head, const std::vector<sim::Report>& jobs,
                            const sim::ContentionReport& report);

/// A row for each policy; of the only one, or the first, also its jobs that waited and its links.
std::string queue_text(const WorkloadHead& head, const std::vector<std::string>& names,
                       const std::vector<sim::queue::QueueReport>& runs,
                       const TextOptions& options);
/// "foreshard.queue.v1"
std::string queue_json(const WorkloadHead& head, const std::vector<std::string>& names,
                       const std::vector<sim::queue::QueueReport>& runs);

}  // namespace viz
