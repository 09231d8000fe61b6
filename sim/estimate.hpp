#pragma once

#include <memory>
#include <vector>

#include "base/units.hpp"
#include "calibrate/profile.hpp"
#include "strategies/model.hpp"
#include "strategies/plan.hpp"
#include "topology/cluster.hpp"

namespace sim {

/// The analytic step time of many plans of one model on one cluster, for searching: the time that
/// `analyse` finds for the step that `build_step` lays out, without laying it out. Kernels, cut
/// blocks and collectives are priced once for all plans that share them.
class Estimator {
 public:
  /// References must outlive the estimator. Rank i sits on the i-th of `gpus`.
  Estimator(const strategies::ModelSpec& model, const topology::Cluster& cluster,
            const calibrate::Profile& profile, std::vector<topology::GpuId> gpus);
  ~Estimator();

  /// From now on collectives between nodes take so many times longer than alone (at least 1): a
  /// stand-in for contention, which only a simulation knows. Floors stay floors.
  void slow_network(double factor);

  /// \pre of all of them: check_plan found no error.
  base::Seconds step(const strategies::Plan& plan);
  /// What no plan can do without that differs in how data-parallel ranks speak and update only: the
  /// same pipeline, in which what they say and the optimizer take no time. Of two stages of ZeRO
  /// only those that both accumulate gradients, or both do not, count as such (see
  /// Plan::accumulates).
  base::Seconds pipeline(const strategies::Plan& plan);
  /// A floor of `pipeline` for all schedules that run their cells one by one (not
  /// Cell::overlapped): the busiest stage computes all micro-batches without a pause. The schedule
  /// of the plan itself says only how layers are cut.
  base::Seconds busiest(const strategies::Plan& plan);
  /// A floor of the peak on the device, see MemoryReport::peak: model states, activations in
  /// flight, and what is held whatever the plan does; without the buffers of communication.
  base::Bytes memory(const strategies::Plan& plan);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sim
