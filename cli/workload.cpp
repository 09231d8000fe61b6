#include "cli/workload.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include "sim/queue/profile.hpp"

namespace cli {

namespace {

/// Steps that each job plays beside the others: the first, in which all begin together, and four
/// that count.
constexpr int steps_together = 5;

/// Profiles of the jobs of a workload, and of those that stay inside a node.
class Profiles {
 public:
  /// Adds that of a job; answers its number.
  base::Result<std::size_t> add(const sim::WorkloadJob& job,
                                const calibrate::Calibrations& calibrations) {
    const base::Result<sim::StepGraph> graph = step_graph(job.scenario, calibrations);
    if (!graph) return tl::unexpected(graph.error());
    all_.push_back(sim::queue::profile_of(*graph, job.scenario.cluster,
                                          sim::place_ranks(job.scenario), job.request));
    return all_.size() - 1;
  }

  /// One step of a second on some GPUs of a node.
  std::size_t inside_node(int gpus) {
    const auto [found, fresh] = of_gpus_.try_emplace(gpus, all_.size());
    if (fresh) {
      all_.emplace_back();
      all_.back().request = {1, gpus};
      all_.back().demand.step = 1;
    }
    return found->second;
  }

  const std::vector<sim::queue::Profile>& all() const { return all_; }

 private:
  std::vector<sim::queue::Profile> all_;
  std::map<int, std::size_t> of_gpus_;
};

}  // namespace

base::Result<SharedForecast> forecast_together(const sim::Workload& workload,
                                               const calibrate::Calibrations& calibrations,
                                               sim::Fidelity fidelity,
                                               const std::function<void(double)>& progress) {
  const sim::Scenario& common = workload.jobs.front().scenario;
  const sim::EngineOptions options{
      .fidelity = fidelity, .routing = common.routing, .fold = common.fold, .progress = progress};
  std::vector<Prepared> prepared;
  for (const sim::WorkloadJob& job : workload.jobs) {
    auto one = prepare(job.scenario, calibrations);
    if (!one) return tl::unexpected(std::move(one.error()));
    prepared.push_back(std::move(*one));
  }
  std::vector<sim::PlacedStep> steps;
  std::vector<std::string> names;
  std::vector<base::Seconds> alone;
  for (std::size_t i = 0; i < prepared.size(); ++i) {
    steps.push_back({prepared[i].graph, prepared[i].gpu_of_rank});
    names.push_back(workload.jobs[i].scenario.name);
    alone.push_back(
        sim::simulate(prepared[i].graph, common.cluster, prepared[i].gpu_of_rank, options).step);
  }
  const sim::Ensemble ensemble = sim::simulate(steps, common.cluster, options, steps_together);
  SharedForecast result;
  for (std::size_t i = 0; i < prepared.size(); ++i)
    result.reports.push_back(
        report_of(workload.jobs[i].scenario, prepared[i], ensemble.jobs[i].timeline, fidelity));
  result.contention = sim::contention_of(ensemble, names, alone, steps, common.cluster);
  return result;
}

base::Result<QueueForecast> forecast_queue(const sim::Workload& workload,
                                           const calibrate::Calibrations& calibrations) {
  Profiles profiles;
  for (const sim::WorkloadJob& job : workload.jobs)
    if (auto added = profiles.add(job, calibrations); !added)
      return tl::unexpected(std::move(added.error()));
  std::vector<sim::queue::QueuedJob> jobs;
  const auto steps_of = [&](double seconds, std::size_t profile) {
    return std::max(1.0, seconds / profiles.all()[profile].alone());
  };
  if (workload.replay) {
    const sim::Replay& replay = *workload.replay;
    for (std::size_t i = 0; i < replay.trace.jobs.size(); ++i) {
      const sim::trace::Job& job = replay.trace.jobs[i];
      const std::size_t profile =
          replay.rung_of_job[i] ? *replay.rung_of_job[i] : profiles.inside_node(job.gpus);
      jobs.push_back({job.name, job.arrival, steps_of(job.duration, profile), 0, profile});
    }
  } else {
    for (std::size_t i = 0; i < workload.jobs.size(); ++i) {
      const sim::WorkloadJob& job = workload.jobs[i];
      const bool timed = job.duration > base::Seconds{};
      jobs.push_back({job.scenario.name, job.arrival.s(),
                      timed ? steps_of(job.duration.s(), i) : job.steps, job.priority, i});
    }
  }
  const sim::queue::Tree tree = sim::queue::tree_of(workload.cluster());
  QueueForecast result;
  for (const sim::queue::QueuedJob& job : jobs) result.names.push_back(job.name);
  for (const sim::queue::Policy* policy : workload.policies)
    result.runs.push_back(sim::queue::simulate_queue(jobs, profiles.all(), tree,
                                                     sim::queue::usable_gpus(workload.cluster()),
                                                     *policy, {.backfill = workload.backfill}));
  return result;
}

}  // namespace cli
