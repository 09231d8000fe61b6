#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/diagnostic.hpp"
#include "sim/compare/candidates.hpp"
#include "sim/compare/plan_forecast.hpp"
#include "sim/engine.hpp"
#include "sim/search/summary.hpp"

namespace sim::compare {

/// Share of the variance of one source's error that two plans have in common; the rest is each
/// plan's own, since a source errs differently on other shapes, groups and sizes. With this one the
/// probabilities below score best (mean logarithm) on 3,477 pairs of published steps that differ in
/// their plan only, 91 groups of them with equal weights (docs/compare.md).
inline constexpr double common_share = 0.4;

/// Probability that `a` takes less time a token than `b`, from the sources of their intervals. As
/// in a report, ln of a step time errs by the sum over sources s of share_s x spread_s x z_s, z_s
/// standard normal and independent between sources. Between the plans z_s correlates by
/// `common_share`, so that the error of the difference has the variance
///   sum over s of (u_s^2 + v_s^2 - 2 common_share u_s v_s),  u_s = share_s x spread_s of a, v_s of
///   b
/// and the probability is Phi(ln(time b / time a) / its root). Equal times: 0.5. Sources that only
/// one of them has err independently.
double probability_quicker(const PlanForecast& a, const PlanForecast& b);

/// A plan in its place.
struct Ranked {
  PlanForecast forecast;
  /// It fits, and no other plan that fits is as good in time a token, peak memory and GPUs, and
  /// better in one of them.
  bool pareto = false;
  double first_is_quicker = 0.5;  ///< probability; see above
};

/// What `compare` answers.
struct Comparison {
  std::string scenario;
  std::string model;
  std::string cluster;
  Fidelity fidelity = Fidelity::hybrid;
  std::string currency;           ///< empty: no prices
  std::vector<Ranked> plans;      ///< those that fit by time a token, then the others by memory use
  std::vector<Refused> refused;   ///< combinations of axes that are none
  base::Diagnostics diagnostics;  ///< of all plans, each once
  std::optional<search::Summary> search;  ///< that found some of the plans
};

/// Puts the forecasts in order, marks the Pareto front, and gathers their diagnostics. The rest of
/// a comparison is left to the caller.
Comparison rank(std::vector<PlanForecast> forecasts);

}  // namespace sim::compare
