#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "sim/queue/policy.hpp"
#include "sim/scenario.hpp"
#include "sim/trace/trace.hpp"

namespace sim {

/// What a job asks of the cluster.
struct JobDemand {
  queue::Request request;
  bool placed = false;  ///< by the user
  base::Seconds arrival;
  double steps = 1;        ///< to do
  base::Seconds duration;  ///< instead of steps: of all of them, when it is alone; 0: none
  int priority = 0;
  base::SourceRef where;
};

/// A job of a scenario with several, as if it stood alone on their cluster. Where the scheduler
/// places it, it sits on the first nodes that it could be given, for its price.
struct WorkloadJob : JobDemand {
  Scenario scenario;
};

/// Real arrivals, whose jobs stand-ins play: job i is played by `rungs[rung_of_job[i]]`.
struct Replay {
  std::string file;
  std::string format;
  trace::Trace trace;
  std::vector<std::optional<std::size_t>> rung_of_job;  ///< nothing: within a node, no traffic
};

/// A scenario file with `jobs`, read and checked.
struct Workload {
  std::string name;
  std::vector<WorkloadJob> jobs;  ///< of a replay: the rungs, by GPUs
  std::optional<Replay> replay;
  std::vector<const queue::Policy*> policies;  ///< to compare; empty: all jobs are played at once
  bool backfill = false;
  base::Diagnostics notes;

  const topology::Cluster& cluster() const { return jobs.front().scenario.cluster; }
};

/// As load_scenario, of a file with one job or with several.
base::Result<std::variant<Scenario, Workload>> load(const ScenarioOptions& options);

}  // namespace sim
