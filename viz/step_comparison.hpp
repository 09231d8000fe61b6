#pragma once

#include <string>
#include <vector>

#include "sim/report.hpp"
#include "sim/step_comparison.hpp"

namespace viz {

/// What a comparison is of, for people.
struct ComparedStep {
  std::string scenario;
  std::string ranks;  ///< "2 ranks of cpu-core, Open MPI 4.1.4 and OpenBLAS 0.3.21"
  double p10 = 0;     ///< of the forecast, seconds
  double p90 = 0;
  std::vector<sim::SourceShare> sources;  ///< what the forecast rests on
};

/// Table: the step, then operators and collectives, longest first.
std::string step_comparison_text(const ComparedStep& step, const sim::StepComparison& comparison);
/// The same, "foreshard.step.v1".
std::string step_comparison_json(const ComparedStep& step, const sim::StepComparison& comparison);

}  // namespace viz
