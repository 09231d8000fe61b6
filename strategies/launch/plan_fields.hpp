#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "strategies/model.hpp"
#include "strategies/plan.hpp"

namespace strategies::launch {

/// A key of `plan:` and its value in the words of a scenario.
struct PlanField {
  std::string key;  ///< "context.attention"
  std::string value;

  bool operator==(const PlanField&) const = default;
};

/// Everything that a plan decides about a run of this model, in the order of docs/scenario.md. Keys
/// that decide nothing beside the others are left out (a schedule without a pipeline, `fsdp`
/// without ZeRO-3), and so are those that describe a run and do not start one: host times and
/// traffic of `execution`, the curve of `attention_kernels`, `expert.load`.
/// \pre check_plan found no error
std::vector<PlanField> plan_fields(const Plan& plan, const ModelSpec& model);

/// Layers of each virtual stage, in the order of the model, whichever keys of the plan say so.
std::vector<int> stage_layers(const Plan& plan, const ModelSpec& model);

/// Whether ranks lie as with this `rank_order`, which is a good one: axes of one rank do not count.
bool has_order(const Plan& plan, std::string_view rank_order);

}  // namespace strategies::launch
