#include "cli/convert.hpp"

#include "cli/commands.hpp"

namespace cli {

void setup_convert(CLI::App& app) {
  CLI::App* group = app.add_subcommand(
      "convert", "rates into tokens a day and MFU, plans into frameworks' configurations");
  group->require_subcommand(1);
  add_convert_throughput(*group);
  add_convert_launch(*group);
}

}  // namespace cli
