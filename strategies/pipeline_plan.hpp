#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "strategies/plan.hpp"

/// The pipeline's part of a plan.
namespace strategies {

/// Reads `pipeline_parallel`, `schedule` and how layers are cut over stages.
void read_pipeline(base::MapReader& reader, Plan& plan);

/// Reports a mistake at a key of the plan.
using ReportMistake =
    std::function<void(std::string_view key, std::string message, std::string hint)>;

/// Layers that cannot be cut as the plan says, and schedules that do not have its shape.
void check_stages(const Plan& plan, const ModelSpec& model, const ReportMistake& report);
/// Micro-batches that the schedule cannot work on. \pre check_stages found none, and micro-batches
/// can be counted.
void check_micro_batches(const Plan& plan, const ReportMistake& report);

}  // namespace strategies
