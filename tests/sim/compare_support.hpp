#pragma once

#include <string>
#include <vector>

#include "sim/compare/plan_forecast.hpp"

/// A forecast made by hand.
inline sim::compare::PlanForecast plan_of(const std::string& name, double step_s, double peak_gib,
                                          int gpus = 8,
                                          std::vector<sim::SourceShare> sources = {}) {
  sim::compare::PlanForecast plan;
  plan.name = name;
  plan.gpus = gpus;
  plan.step = base::Seconds::from_s(step_s);
  plan.tokens = 1'000'000;
  plan.memory_peak = base::Bytes::from_gib(peak_gib);
  plan.memory_capacity = base::Bytes::from_gib(80);
  plan.fits = peak_gib <= 80;
  plan.sources = std::move(sources);
  return plan;
}
