#pragma once

#include <functional>
#include <string>

#include "base/diagnostic.hpp"
#include "calibrate/calibrated_profile.hpp"
#include "sim/report.hpp"
#include "sim/scenario.hpp"
#include "sim/step_graph.hpp"
#include "sim/timeline.hpp"

namespace cli {

/// The answer to a scenario, with what it was read from.
struct Forecast {
  sim::Report report;
  sim::StepGraph graph;
  sim::Timeline timeline;
};

/// Folder of the hardware registry: FORESHARD_HARDWARE, or the one of the source tree.
std::string hardware_folder();

/// "llama-3.1-8b, 8.03 B parameters".
std::string model_text(const strategies::ModelSpec& model);

/// Prices for this scenario: the slowest GPU model that a rank sits on sets the pace, and what
/// calibrations know of it goes before models.
base::Result<calibrate::MadeProfile> profile_for(const sim::Scenario& scenario,
                                                 const calibrate::Calibrations& calibrations);

/// The step alone, priced but not played.
base::Result<sim::StepGraph> step_graph(const sim::Scenario& scenario,
                                        const calibrate::Calibrations& calibrations);

/// A step that is ready to be played.
struct Prepared {
  sim::StepGraph graph;
  std::vector<topology::GpuId> gpu_of_rank;
  sim::Timeline bound;  ///< without contention
  base::Flop model_flop;
  base::Flop hardware_flop;
  base::Diagnostics notes;
};

/// Cuts the model, prices and builds the step.
base::Result<Prepared> prepare(const sim::Scenario& scenario,
                               const calibrate::Calibrations& calibrations);

/// How a step of the scenario is played.
sim::EngineOptions engine_options(const sim::Scenario& scenario, sim::Fidelity fidelity);

/// What is to be said of the step as it was played.
sim::Report report_of(const sim::Scenario& scenario, const Prepared& prepared,
                      const sim::Timeline& timeline, sim::Fidelity fidelity);

/// Prepares the step, plays it at `fidelity` and summarises.
base::Result<Forecast> forecast(const sim::Scenario& scenario,
                                const calibrate::Calibrations& calibrations, sim::Fidelity fidelity,
                                const std::function<void(double)>& progress);

}  // namespace cli
