#include <memory>
#include <string>

#include "calibrate/store/diff.hpp"
#include "cli/calibrate.hpp"
#include "cli/calibration_file.hpp"
#include "cli/output.hpp"
#include "viz/calibration_diff.hpp"

namespace cli {

namespace {

struct DiffOptions {
  std::string database;
  std::string with;
  std::string json;
};

void diff(const DiffOptions& options) {
  const auto a = open_calibration(options.database, calibrate::store::Access::read);
  const auto b = open_calibration(options.with, calibrate::store::Access::read);
  const auto difference = calibrate::store::difference(a.all(), b.all());
  if (!options.json.empty())
    write_output(options.json, viz::calibration_diff_json(a.path(), b.path(), difference));
  if (options.json != "-")
    write_output("-", viz::calibration_diff_text(a.path(), b.path(), difference));
}

}  // namespace

void add_calibrate_diff(CLI::App& group) {
  const auto options = std::make_shared<DiffOptions>();
  CLI::App* command = group.add_subcommand("diff", "what changed between two calibrations");
  add_database(*command, options->database);
  command->add_option("--with", options->with, "the later calibration")
      ->type_name("FILE")
      ->required();
  add_json(*command, options->json);
  command->callback([options] { diff(*options); });
}

}  // namespace cli
