#include "cli/topology.hpp"

#include "cli/commands.hpp"

namespace cli {

void setup_topology(CLI::App& app) {
  CLI::App* group = app.add_subcommand("topology", "read, look at, compare and draw real clusters");
  group->require_subcommand(1);
  add_topology_import(*group);
  add_topology_show(*group);
  add_topology_diff(*group);
  add_topology_render(*group);
}

}  // namespace cli
