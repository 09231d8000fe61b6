#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "base/diagnostic.hpp"
#include "sim/report.hpp"

/// Parts of JSON answers; internal to the module.
namespace viz {

nlohmann::ordered_json report_object(const sim::Report& report);
nlohmann::ordered_json diagnostics_json(const base::Diagnostics& diagnostics);
std::string dumped(const nlohmann::ordered_json& json);

}  // namespace viz
