#pragma once

#include <memory>
#include <string>
#include <vector>

#include "calibrate/calibrated_profile.hpp"
#include "sim/autoshard/profile_prices.hpp"
#include "sim/autoshard/refine.hpp"
#include "sim/scenario.hpp"
#include "sim/timeline.hpp"
#include "strategies/autoshard/constraint.hpp"
#include "strategies/autoshard/model_graph.hpp"
#include "strategies/autoshard/solution_reader.hpp"

namespace cli {

/// What the command line says beside the scenario, before it.
struct AutoshardOptions {
  std::string mesh;    ///< "8x8"; empty: as the scenario says
  std::string memory;  ///< "80 GB"; empty: as the scenario says
  int micro_batches = 1;
  int stages = 1;  ///< of a pipeline, each on a mesh of its own
};

/// The problem of sharding the model of a scenario on its cluster, with everything it rests on.
class AutoshardProblem {
 public:
  /// Prints mistakes and leaves. `scenario` outlives this.
  AutoshardProblem(const sim::Scenario& scenario, const calibrate::Calibrations& calibrations,
                   const AutoshardOptions& options);

  /// A step of one micro-batch with overlap, at the fidelity of the scenario.
  sim::Timeline simulate(const strategies::autoshard::Solution& solution) const;
  sim::autoshard::Refined refine(const strategies::autoshard::Solution& solution,
                                 const sim::autoshard::Solver& solve, int rounds) const;

  const sim::Scenario& scenario;
  strategies::autoshard::SolutionHeader header;
  strategies::autoshard::Demands demands;
  strategies::autoshard::StepShape shape;
  int micro_batches = 1;
  strategies::autoshard::TensorGraph graph;
  strategies::autoshard::Problem problem;

 private:
  sim::Timeline play(const sim::StepGraph& step) const;
  sim::autoshard::ShardedStepInput step_input(
      const strategies::autoshard::Solution& solution) const;

  sim::autoshard::PlacedMesh placed_;
  std::unique_ptr<calibrate::Profile> profile_;
};

}  // namespace cli
