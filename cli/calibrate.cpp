#include "cli/calibrate.hpp"

#include "cli/commands.hpp"

namespace cli {

void add_database(CLI::App& command, std::string& path) {
  command.add_option("--db", path, "the calibration (SQLite)")->type_name("FILE")->required();
}

void setup_calibrate(CLI::App& app) {
  CLI::App* group = app.add_subcommand(
      "calibrate", "measure collectives and kernels, keep them, and forecast from them");
  group->require_subcommand(1);
  add_calibrate_collectives(*group);
  add_calibrate_fit(*group);
  add_calibrate_import(*group);
  add_calibrate_replay(*group);
}

}  // namespace cli
