#include <memory>
#include <string>

#include "calibrate/fit/report.hpp"
#include "cli/calibrate.hpp"
#include "cli/calibration_file.hpp"
#include "cli/forecast.hpp"
#include "cli/output.hpp"
#include "cli/page_option.hpp"
#include "cli/value_or_leave.hpp"
#include "viz/calibration.hpp"
#include "viz/calibration_json.hpp"
#include "viz/calibration_text.hpp"

namespace cli {

namespace {

struct ShowOptions {
  std::string database;
  std::string run;
  std::string json;
  PageOption page;
};

void show(const ShowOptions& options) {
  const auto store = open_calibration(options.database, calibrate::store::Access::read);
  const auto runs = runs_of(store, options.run);
  const auto fits = store.fits();
  const std::string json = viz::calibration_summary_json(store.path(), runs, fits);
  if (!options.json.empty()) write_output(options.json, json);
  if (options.page.wanted()) {
    const auto registry = value_or_leave(topology::HardwareRegistry::read(hardware_folder()));
    options.page.write({json, viz::fit_json(calibrate::fit::report_of(runs, registry))});
  }
  if (options.json != "-") write_output("-", viz::calibration_text(store.path(), runs, fits));
}

}  // namespace

void add_calibrate_show(CLI::App& group) {
  const auto options = std::make_shared<ShowOptions>();
  CLI::App* command = group.add_subcommand("show", "what a calibration holds");
  add_database(*command, options->database);
  add_run(*command, options->run);
  add_json(*command, options->json);
  options->page.add_to(*command);
  command->callback([options] { show(*options); });
}

}  // namespace cli
