#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/compare/difference.hpp"
#include "viz/comparison.hpp"
#include "viz/csv_line.hpp"

namespace viz {

namespace {

using sim::compare::PlanForecast;
using sim::compare::Ranked;

/// The shortest decimals that read back as the same number.
std::string number(double value) { return fmt::format("{}", value); }

std::string number(const std::optional<double>& value) {
  return value ? number(*value) : std::string();
}

/// "tensor_parallel_communication_s".
std::string column_of(std::string_view part) {
  std::string name(part);
  for (char& c : name)
    if (c == ' ' || c == '-') c = '_';
  return name + "_s";
}

std::vector<std::string> row_of(const Ranked& one, std::size_t place, const std::string& currency) {
  const PlanForecast& plan = one.forecast;
  std::vector<std::string> row{std::to_string(place),
                               plan.name,
                               plan.plan_text,
                               std::to_string(plan.gpus),
                               number(plan.step.s()),
                               number(plan.step_p10.s()),
                               number(plan.step_p90.s()),
                               std::to_string(plan.tokens),
                               number(plan.tokens_per_s),
                               number(plan.mfu),
                               std::to_string(plan.memory_peak.count()),
                               std::to_string(plan.memory_capacity.count()),
                               plan.fits ? "1" : "0",
                               one.pareto ? "1" : "0",
                               number(one.first_is_quicker),
                               number(plan.cost()),
                               currency};
  for (const sim::compare::Part& part : sim::compare::parts)
    row.push_back(number((plan.breakdown.*part.time).s()));
  return row;
}

}  // namespace

std::string comparison_csv(const sim::compare::Comparison& comparison) {
  std::vector<std::string> header{"place",
                                  "name",
                                  "plan",
                                  "gpus",
                                  "step_time_s",
                                  "step_time_p10_s",
                                  "step_time_p90_s",
                                  "tokens_per_step",
                                  "tokens_per_s",
                                  "mfu",
                                  "memory_peak_bytes",
                                  "memory_capacity_bytes",
                                  "fits",
                                  "pareto",
                                  "first_is_quicker",
                                  "cost_per_1e12_tokens",
                                  "currency"};
  for (const sim::compare::Part& part : sim::compare::parts) header.push_back(column_of(part.name));
  std::string text = csv_line(header);
  for (std::size_t i = 0; i < comparison.plans.size(); ++i)
    text += csv_line(row_of(comparison.plans[i], i + 1, comparison.currency));
  return text;
}

}  // namespace viz
