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
  std::string mesh;       ///< "8x8"; empty: as the scenario says
  std::string memory;     ///< "80 GB"; empty: as the scenario says
  int micro_batches = 0;  ///< 0: as many as are best
  int stages = 1;         ///< of a pipeline, each on a mesh of its own
};

/// The problem of sharding the model of a scenario on its cluster, with everything it rests on. In
/// a pipeline, on the mesh of its first stage; tied embeddings are then two parameters.
class AutoshardProblem {
 public:
  /// Prints mistakes and leaves. `scenario` outlives this.
  AutoshardProblem(const sim::Scenario& scenario, const calibrate::Calibrations& calibrations,
                   const AutoshardOptions& options);

  /// Of the numbers of micro-batches into which the global batch can be cut, those to choose from:
  /// powers of two.
  std::vector<int> micro_batch_choices() const;
  /// Makes the problem anew for so many micro-batches. \pre they divide the global batch.
  void cut_batch(int micro_batches);

  /// The mesh of a pipeline's stage.
  sim::autoshard::PlacedMesh placed(int stage) const;
  /// The problem as it is there.
  strategies::autoshard::Problem problem_on(const sim::autoshard::PlacedMesh& placed) const;
  const calibrate::Profile& profile() const { return *profile_; }

  /// A step with overlap, at the fidelity of the scenario.
  sim::Timeline simulate(const strategies::autoshard::Solution& solution) const;
  sim::autoshard::Refined refine(const strategies::autoshard::Solution& solution,
                                 const sim::autoshard::Solver& solve, int rounds) const;

  const sim::Scenario& scenario;
  strategies::autoshard::SolutionHeader header;
  strategies::autoshard::Demands demands;
  strategies::autoshard::StepShape shape;
  strategies::autoshard::TensorGraph graph;
  strategies::autoshard::Problem problem;

 private:
  sim::Timeline play(const sim::StepGraph& step) const;
  sim::autoshard::ShardedStepInput step_input(
      const strategies::autoshard::Solution& solution) const;

  int stages_;
  std::vector<topology::GpuId> gpus_;  // of all stages
  sim::autoshard::PlacedMesh placed_;
  std::unique_ptr<calibrate::Profile> profile_;
};

}  // namespace cli
