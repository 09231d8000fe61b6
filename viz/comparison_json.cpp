#include <nlohmann/json.hpp>
#include <string>

#include "sim/compare/difference.hpp"
#include "viz/breakdown_json.hpp"
#include "viz/comparison.hpp"
#include "viz/report_json.hpp"
#include "viz/search.hpp"

namespace viz {

namespace {

using sim::compare::PlanForecast;
using Json = nlohmann::ordered_json;

Json breakdown_json(const sim::Breakdown& breakdown) {
  Json json{{"forward_s", breakdown.forward.s()},
            {"backward_s", breakdown.backward.s()},
            {"recompute_s", breakdown.recompute.s()}};
  add_beside_kernels(breakdown, json);
  return json;
}

Json number_or_null(const std::optional<double>& number) {
  return number ? Json(*number) : Json(nullptr);
}

Json more_than_first(const PlanForecast& plan, const PlanForecast& first) {
  const sim::compare::Difference more = difference(plan, first);
  Json parts = Json::array();
  for (const sim::compare::PartDifference& part : more.parts)
    if (part.more != base::Seconds()) parts.push_back({{"name", part.name}, {"s", part.more.s()}});
  return {{"total_s", more.more.s()}, {"parts", std::move(parts)}, {"sentence", sentence(more)}};
}

Json plan_json(const sim::compare::Ranked& one, const PlanForecast& first) {
  const PlanForecast& plan = one.forecast;
  Json sources = Json::array();
  for (const sim::SourceShare& source : plan.sources)
    sources.push_back({{"name", source.name}, {"share", source.share}, {"spread", source.spread}});
  Json json{{"name", plan.name},
            {"plan", plan.plan_text},
            {"gpus", plan.gpus},
            {"step_time_s", plan.step.s()},
            {"step_time_p10_s", plan.step_p10.s()},
            {"step_time_p90_s", plan.step_p90.s()},
            {"tokens_per_step", plan.tokens},
            {"tokens_per_s", plan.tokens_per_s},
            {"mfu", plan.mfu},
            {"memory",
             {{"peak_bytes", plan.memory_peak.count()},
              {"capacity_bytes", plan.memory_capacity.count()},
              {"fits", plan.fits},
              {"worst_rank", plan.worst_rank}}},
            {"gpu_hour_price", number_or_null(plan.gpu_hour)},
            {"cost_per_1e12_tokens", number_or_null(plan.cost())},
            {"pareto", one.pareto},
            {"first_is_quicker", one.first_is_quicker},
            {"breakdown", breakdown_json(plan.breakdown)},
            {"more_than_first", more_than_first(plan, first)},
            {"bottleneck", plan.bottleneck},
            {"sources", std::move(sources)}};
  json["diagnostics"] = diagnostics_json(plan.diagnostics);
  return json;
}

}  // namespace

std::string comparison_json(const sim::compare::Comparison& comparison) {
  Json json{{"schema", "foreshard.comparison.v1"},
            {"scenario", comparison.scenario},
            {"model", comparison.model},
            {"cluster", comparison.cluster},
            {"fidelity", sim::name_of(comparison.fidelity)},
            {"currency", comparison.currency.empty() ? Json(nullptr) : Json(comparison.currency)},
            {"plans", Json::array()},
            {"refused", Json::array()}};
  for (const sim::compare::Ranked& one : comparison.plans)
    json["plans"].push_back(plan_json(one, comparison.plans.front().forecast));
  for (const sim::compare::Refused& one : comparison.refused)
    json["refused"].push_back({{"name", one.name}, {"reasons", diagnostics_json(one.reasons)}});
  if (comparison.search) json["search"] = search_json(*comparison.search);
  return dumped(json);
}

}  // namespace viz
