#pragma once

#include <cstddef>
#include <string>

#include "sim/compare/comparison.hpp"
#include "viz/viz.hpp"

namespace viz {

/// The table of plans, which of them are on the Pareto front, and why the others take longer than
/// the first. `top`: rows and sentences at most; what is left out is counted.
std::string comparison_text(const sim::compare::Comparison& comparison, std::size_t top,
                            const TextOptions& options);

/// "foreshard.comparison.v1": all plans. SI units, the unit is the end of each key.
std::string comparison_json(const sim::compare::Comparison& comparison);

/// A row for each plan, with a header.
std::string comparison_csv(const sim::compare::Comparison& comparison);

/// Two panels as SVG: time and peak memory of the first `top` plans with their intervals and the
/// Pareto front, and where the time of each goes.
std::string comparison_svg(const sim::compare::Comparison& comparison, std::size_t top);

}  // namespace viz
