#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "base/units.hpp"
#include "sim/report.hpp"
#include "strategies/plan.hpp"

namespace sim::compare {

/// What a forecast says of one plan of several.
struct PlanForecast {
  std::string name;
  strategies::Plan plan;
  std::string plan_text;           ///< strategies::describe
  std::optional<double> gpu_hour;  ///< price of a GPU for an hour, in the comparison's currency

  int gpus = 0;
  base::Seconds step;
  base::Seconds step_p10;
  base::Seconds step_p90;
  std::int64_t tokens = 0;  ///< per step
  double tokens_per_s = 0;
  double mfu = 0;
  base::Bytes memory_peak;  ///< on the device, worst rank
  base::Bytes memory_capacity;
  bool fits = true;
  int worst_rank = 0;
  Breakdown breakdown;               ///< of the step of an average rank
  std::vector<SourceShare> sources;  ///< what the time rests on
  std::string bottleneck;            ///< a sentence
  base::Diagnostics diagnostics;     ///< warnings and notes of this plan

  /// Plans may train different numbers of tokens a step: this is what they are compared by.
  double seconds_per_token() const { return step.s() / static_cast<double>(tokens); }
  /// Share of the memory that the fullest rank needs.
  double memory_use() const { return memory_peak / memory_capacity; }
  /// Price of 1e12 tokens on the GPUs that the plan uses: gpu_hour x gpus x step / 3600 s / tokens
  /// x 1e12. Nothing without a price.
  std::optional<double> cost() const;
};

/// The figures of a report; `plan` and the price are left to the caller.
PlanForecast plan_forecast(const Report& report);

}  // namespace sim::compare
