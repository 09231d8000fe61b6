#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.hpp"
#include "sim/compare/plan_forecast.hpp"
#include "sim/report.hpp"

namespace sim::compare {

/// A part of a breakdown and what people call it.
struct Part {
  std::string_view name;
  base::Seconds Breakdown::*time;
};

/// All parts, in the order of a Breakdown.
inline constexpr std::array<Part, 15> parts{{
    {"forward", &Breakdown::forward},
    {"backward", &Breakdown::backward},
    {"recompute", &Breakdown::recompute},
    {"tensor-parallel communication", &Breakdown::tensor_exposed},
    {"context-parallel communication", &Breakdown::context_exposed},
    {"expert communication", &Breakdown::expert_exposed},
    {"gradient reduction", &Breakdown::data_exposed},
    {"parameter gathering", &Breakdown::parameter_exposed},
    {"stage messages", &Breakdown::pipeline_exposed},
    {"pipeline bubble", &Breakdown::bubble},
    {"optimizer", &Breakdown::optimizer},
    {"waiting for the host", &Breakdown::host},
    {"waiting for memory", &Breakdown::allocator},
    {"kernels slowed by collectives", &Breakdown::slowed},
    {"other", &Breakdown::other},
}};

/// How much longer a part takes.
struct PartDifference {
  std::string_view name;
  base::Seconds more;  ///< negative: less
};

/// What `slower` spends more than `quicker`, and on what.
struct Difference {
  base::Seconds more;                 ///< of the whole
  std::vector<PartDifference> parts;  ///< all of them, largest amount first; they add up to `more`
};

/// Steps of different numbers of tokens are stretched to those of `quicker` first.
Difference difference(const PlanForecast& slower, const PlanForecast& quicker);

/// "+412 ms: +310 pipeline bubble, +122 backward, -20 optimizer", in a unit that gives the largest
/// amount three or four digits. What is written adds up to the whole that is written: rounding is
/// made up for where it does least harm, and parts below a fiftieth of the largest are one, "the
/// rest".
std::string sentence(const Difference& difference);

}  // namespace sim::compare
