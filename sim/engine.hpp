#pragma once

#include <cstdint>
#include <functional>
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

/// Plays the step on SimGrid: every task of every rank, those of equal ranks once. Hybrid: segments
/// whose collectives stay inside a scale-up domain are durations, everything that crosses nodes is
/// concurrent flows that share links max-min fairly. Flow: NVLink traffic too. `gpu_of_rank[r]` is
/// where rank r sits.
///
/// SimGrid knows one engine per process, so the simulation runs in a forked child; throws
/// base::EnvironmentError when that fails.
Timeline simulate(const StepGraph& graph, const topology::Cluster& cluster,
                  const std::vector<topology::GpuId>& gpu_of_rank, const EngineOptions& options);

}  // namespace sim
