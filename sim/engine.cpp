#include "sim/engine.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "sim/engine/ensemble.hpp"
#include "sim/engine/fabric.hpp"

namespace sim {

Ensemble simulate(std::span<const PlacedStep> jobs, const topology::Cluster& cluster,
                  const EngineOptions& options, int steps) {
  CHECK_INVARIANT(options.fidelity != Fidelity::analytic);
  std::vector<bool> taken(static_cast<std::size_t>(cluster.gpu_count()), false);
  for (const PlacedStep& job : jobs) {
    CHECK_INVARIANT(job.gpu_of_rank.size() == static_cast<std::size_t>(job.graph.grid.size()));
    for (const topology::GpuId gpu : job.gpu_of_rank) {
      CHECK_INVARIANT(gpu < taken.size() && !taken[gpu]);
      taken[gpu] = true;
    }
  }
  return engine::play_in_child(jobs, engine::fabric_of(cluster, options.routing),
                               {.private_as_durations = options.fidelity == Fidelity::hybrid,
                                .fold = options.fold,
                                .progress = options.progress},
                               steps);
}

Timeline simulate(const StepGraph& graph, const topology::Cluster& cluster,
                  const std::vector<topology::GpuId>& gpu_of_rank, const EngineOptions& options) {
  const PlacedStep job{graph, gpu_of_rank};
  return std::move(simulate({&job, 1}, cluster, options, 1).jobs.front().timeline);
}

}  // namespace sim
