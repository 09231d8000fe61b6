#include <memory>
#include <string>

#include "calibrate/fit/report.hpp"
#include "cli/calibrate.hpp"
#include "cli/exit_code.hpp"
#include "cli/forecast.hpp"
#include "cli/output.hpp"
#include "cli/stored_runs.hpp"
#include "viz/calibration.hpp"

namespace cli {

namespace {

struct FitOptions {
  std::string database;
  std::string json;
};

void fit(const FitOptions& options) {
  const auto registry = topology::HardwareRegistry::read(hardware_folder());
  if (!registry) {
    print(registry.error());
    leave_with(mistake);
  }
  const calibrate::fit::Report report =
      calibrate::fit::report_of(stored_runs(options.database), *registry);
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
