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
/// blocks and collectives are priced once for all plans that share them. Rank i sits on GPU i.
class Estimator {
 public:
  /// All of it must outlive the estimator.
  Estimator(const strategies::ModelSpec& model, const topology::Cluster& cluster,
            const calibrate::Profile& profile);
  ~Estimator();

  /// \pre check_plan found no error.
  base::Seconds step(const strategies::Plan& plan);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sim
