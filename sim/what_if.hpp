#pragma once

#include <string_view>
#include <vector>

#include "base/units.hpp"
#include "sim/engine.hpp"
#include "sim/step_graph.hpp"

namespace sim {

/// One thing that somebody could buy, or do without changing the plan.
enum class Change {
  faster_network,   ///< NICs, their PCIe links and switches
  faster_scale_up,  ///< NVLink and the like
  no_network_latency,
  faster_kernels,
  no_launches,  ///< as CUDA graphs have it
  no_sms,       ///< as copy engines and collectives in switches have it
};

/// "links between nodes twice as fast".
std::string_view name_of(Change change);

/// Those that change anything in this step.
std::vector<Change> changes_of(const StepGraph& graph);

/// The step with one thing changed, nothing else. Latencies of collectives stay; the time in which
/// their bytes move becomes what it is times (price by links as changed) / (price by links), see
/// collectives::price, so that a collective which the other kind of link limits gains nothing. The
/// algorithms stay those that were chosen before.
StepGraph with(Change change, const StepGraph& graph, const topology::Cluster& cluster,
               const std::vector<topology::GpuId>& gpu_of_rank);

/// Its step time, as simulated or by the analytic engine.
base::Seconds step_with(Change change, const StepGraph& graph, const topology::Cluster& cluster,
                        const std::vector<topology::GpuId>& gpu_of_rank,
                        const EngineOptions& options);

}  // namespace sim
