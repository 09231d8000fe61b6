#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "sim/step_graph.hpp"
#include "sim/timeline.hpp"
#include "topology/cluster.hpp"
#include "topology/routes.hpp"

namespace sim {

enum class Fidelity { analytic, hybrid, flow };

struct EngineOptions {
  Fidelity fidelity = Fidelity::hybrid;  ///< hybrid or flow here
  topology::RoutingOptions routing;
  /// Play one rank of each class of ranks that are provably alike (equal programs, equal peers,
  /// equally loaded links); false: every rank. Same answer.
  bool fold = true;
  /// Called now and then with the share of tasks done, 0 to 1.
  std::function<void(double)> progress;
};

/// A step, and the GPU of each of its ranks.
struct PlacedStep {
  const StepGraph& graph;
  const std::vector<topology::GpuId>& gpu_of_rank;
};

/// How the steps of a job went beside those of others.
struct PlayedJob {
  int steps = 0;           ///< that it ended while all were played
  base::Seconds first;     ///< when all began together
  base::Seconds step;      ///< mean of those after the first; of one alone, that
  base::Seconds shortest;  ///< of the same
  base::Seconds longest;
  Timeline timeline;  ///< of the last of the steps that were asked for, from its begin
};

/// A cable on which jobs met: several use it, and together they may ask for more than its rate.
struct MetLink {
  topology::LinkId link = 0;
  std::vector<double> bytes;   ///< of a step, by job; 0: it does not use it
  std::vector<double> active;  ///< by job: share of the time in which it sent over it
  double together = 0;         ///< … in which at least two jobs did
  double busy = 0;             ///< … in which it was asked for more than its rate
};

struct Ensemble {
  std::vector<PlayedJob> jobs;
  std::vector<MetLink> met;  ///< by link
};

/// Plays jobs side by side on SimGrid. All begin at 0 and repeat their step, the next as soon as
/// the last rank has ended, until each has ended `steps` of them; whoever has goes on, so that the
/// others are never alone. Flows of all jobs share links max-min fairly. No GPU belongs to two.
///
/// Only ranks of jobs that meet nobody are folded. Throws as below.
Ensemble simulate(std::span<const PlacedStep> jobs, const topology::Cluster& cluster,
                  const EngineOptions& options, int steps);

/// One step of one job. Plays the step on SimGrid: every task of every rank, those of equal ranks
/// once. Hybrid: segments whose collectives stay inside a scale-up domain are durations, everything
/// that crosses nodes is concurrent flows that share links max-min fairly. Flow: NVLink traffic
/// too. `gpu_of_rank[r]` is where rank r sits.
///
/// SimGrid knows one engine per process, so the simulation runs in a forked child; throws
/// base::EnvironmentError when that fails.
Timeline simulate(const StepGraph& graph, const topology::Cluster& cluster,
                  const std::vector<topology::GpuId>& gpu_of_rank, const EngineOptions& options);

}  // namespace sim
