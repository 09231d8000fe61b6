#include <algorithm>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "calibrate/fit/report.hpp"
#include "calibrate/harness/machine.hpp"
#include "calibrate/store/store.hpp"
#include "cli/calibrate.hpp"
#include "cli/calibration_file.hpp"
#include "cli/exit_code.hpp"
#include "cli/forecast.hpp"
#include "cli/output.hpp"
#include "cli/stored_runs.hpp"
#include "viz/calibration.hpp"

namespace cli {

namespace {

using calibrate::fit::KernelKey;
using calibrate::fit::Report;
using calibrate::fit::ShapeFit;
using calibrate::fit::SizeFit;
using calibrate::store::FitRow;

struct FitOptions {
  std::string database;
  std::string json;
};

FitRow row_of(const SizeFit& fit, double bus_factor) {
  FitRow row;
  row.parameters = viz::parameters_json(fit, bus_factor);
  row.points = static_cast<int>(fit.points().size());
  row.residual = fit.residual_spread();
  if (fit.held_out()) row.held_out = fit.held_out()->best();
  row.valid_from = fit.points().front().bytes;
  row.valid_to = fit.points().back().bytes;
  return row;
}

FitRow row_of(const ShapeFit& fit, const Report& report, const KernelKey& key) {
  FitRow row;
  row.parameters = viz::parameters_json(fit);
  row.points = static_cast<int>(fit.shapes().size());
  row.residual = fit.left_out_spread();
  const auto held_out = report.held_out.find(key);
  if (held_out != report.held_out.end()) row.held_out = held_out->second.error;
  row.valid_from = std::numeric_limits<double>::infinity();
  for (const auto& shape : fit.shapes()) {
    const double flop = base::flop_of(shape.kernel).count();
    row.valid_from = std::min(row.valid_from, flop);
    row.valid_to = std::max(row.valid_to, flop);
  }
  return row;
}

void keep(calibrate::store::Store& store, const Report& report) {
  const std::string now = calibrate::harness::now_text();
  const auto put = [&](FitRow row, std::string_view kind, std::string key) {
    row.made = now;
    row.kind = kind;
    row.key = std::move(key);
    store.put(row);
  };
  for (const auto& [key, fitted] : report.collectives)
    put(row_of(fitted.fit.sizes(), base::bus_factor(key.op, key.placement.ranks)), "collective",
        describe(key, fitted.basis.versions()));
  for (const auto& [key, fitted] : report.products)
    put(row_of(fitted.fit, report, key), key.kind, describe(key, fitted.basis.versions()));
  for (const auto& [key, fitted] : report.sizes)
    put(row_of(fitted.fit, 1), key.kind, describe(key, fitted.basis.versions()));
}

void fit(const FitOptions& options) {
  const auto registry = topology::HardwareRegistry::read(hardware_folder());
  if (!registry) {
    print(registry.error());
    leave_with(mistake);
  }
  calibrate::store::Store store =
      open_calibration(options.database, calibrate::store::Access::write);
  const Report report = calibrate::fit::report_of(store.all(), *registry);
  keep(store, report);
  if (!options.json.empty()) write_output(options.json, viz::fit_json(report));
  if (options.json != "-") write_output("-", viz::fit_text(report));
}

}  // namespace

void add_calibrate_fit(CLI::App& group) {
  CLI::App* command = group.add_subcommand(
      "fit", "fit latency, bandwidth and kernels, and say how well that predicts");
  const auto options = std::make_shared<FitOptions>();
  add_database(*command, options->database);
  command->add_option("--json", options->json, "write the fits as JSON; - is stdout")
      ->type_name("FILE|-")
      ->check(CLI::Validator(check_output_path, ""));
  command->callback([options] { fit(*options); });
}

}  // namespace cli
