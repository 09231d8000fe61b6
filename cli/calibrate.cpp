#include "cli/calibrate.hpp"

#include "cli/commands.hpp"
#include "cli/output.hpp"

namespace cli {

void add_database(CLI::App& command, std::string& path) {
  command.add_option("--db", path, "the calibration (SQLite)")->type_name("FILE")->required();
}

void add_json(CLI::App& command, std::string& path) {
  command.add_option("--json", path, "write the answer as JSON; - is stdout")
      ->type_name("FILE|-")
      ->check(CLI::Validator(check_output_path, ""));
}

void setup_calibrate(CLI::App& app) {
  CLI::App* group = app.add_subcommand(
      "calibrate", "measure collectives and kernels, keep them, and forecast from them");
  group->require_subcommand(1);
  add_calibrate_collectives(*group);
  add_calibrate_kernels(*group);
  add_calibrate_step(*group);
  add_calibrate_doctor(*group);
  add_calibrate_fit(*group);
  add_calibrate_import(*group);
  add_calibrate_replay(*group);
  add_calibrate_show(*group);
  add_calibrate_export(*group);
  add_calibrate_diff(*group);
  add_calibrate_merge(*group);
}

}  // namespace cli
