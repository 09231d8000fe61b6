#pragma once

#include <span>
#include <string>
#include <vector>

#include "sim/execute.hpp"
#include "sim/step_graph.hpp"
#include "sim/timeline.hpp"

/// A step that was forecast and then executed: where they differ.
namespace sim {

/// All that ranks measured: by step, by rank.
using ExecutedSteps = std::vector<std::vector<RankStep>>;

/// Numbers of a rank's step in a row, to be sent to other ranks, and back.
std::vector<double> packed(const RankStep& step);
RankStep unpacked(std::span<const double> numbers);

/// One operator or collective: seconds of all its uses in a step, mean over ranks.
struct ComparedPart {
  std::string name;
  bool collective = false;
  double forecast = 0;
  double executed = 0;  ///< median over steps

  double error() const { return executed > 0 ? forecast / executed - 1 : 0; }
};

struct StepComparison {
  double forecast = 0;
  double executed = 0;  ///< median of the steps
  double executed_min = 0;
  double executed_max = 0;
  int steps = 0;
  /// How much longer the reference kernel took between the steps than the forecast has it; 1 where
  /// there is none. A machine that others use too is not as fast at one time as at another.
  double drift = 1;
  std::vector<ComparedPart> parts;  ///< longest first
  std::size_t middle = 0;           ///< the step whose time is the median

  /// Of the forecast at the speed that the machine had while it executed.
  double error_at_speed() const { return executed > 0 ? forecast * drift / executed - 1 : 0; }

  double error() const { return executed > 0 ? forecast / executed - 1 : 0; }
};

/// `forecast`: the step that was forecast, seconds. \pre every step has all ranks of the graph
StepComparison compare_steps(const StepGraph& graph, double forecast, const ExecutedSteps& steps);

/// The spans of one executed step, as an engine would have them.
Timeline timeline_of(const std::vector<RankStep>& ranks);

}  // namespace sim
