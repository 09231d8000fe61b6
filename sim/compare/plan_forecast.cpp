#include "sim/compare/plan_forecast.hpp"

namespace sim::compare {

std::optional<double> PlanForecast::cost() const {
  if (!gpu_hour) return std::nullopt;
  return *gpu_hour * gpus * seconds_per_token() / 3600 * 1e12;
}

PlanForecast plan_forecast(const Report& report) {
  PlanForecast forecast;
  forecast.plan_text = report.plan;
  forecast.gpus = report.ranks;
  forecast.step = report.step;
  forecast.step_p10 = report.step_p10;
  forecast.step_p90 = report.step_p90;
  forecast.tokens = report.tokens;
  forecast.tokens_per_s = report.tokens_per_s;
  forecast.mfu = report.mfu;
  forecast.memory_peak = report.memory.peak;
  forecast.memory_capacity = report.memory.capacity;
  forecast.fits = report.memory.fits;
  forecast.worst_rank = report.memory.worst_rank;
  forecast.breakdown = report.breakdown;
  forecast.sources = report.sources;
  forecast.bottleneck = report.bottleneck;
  forecast.diagnostics = report.diagnostics;
  return forecast;
}

}  // namespace sim::compare
