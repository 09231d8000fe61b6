#include "calibrate/fit/report.hpp"

#include <cmath>
#include <utility>

namespace calibrate::fit {

Report report_of(std::span<const RunRecords> runs, const topology::HardwareRegistry& registry) {
  Report report{fit_collectives(runs), fit_sizes(runs), fit_shapes(runs, registry), {}};
  for (const auto& [key, fitted] : report.products) {
    std::vector<double> errors = held_out_errors(fitted.fit.shapes(), form_of(key, registry));
    if (errors.empty()) continue;
    for (double& error : errors) error = std::abs(error);
    report.held_out[key] = {static_cast<int>(errors.size()), median(std::move(errors))};
  }
  return report;
}

}  // namespace calibrate::fit
