#include "cli/commands.hpp"

namespace cli {

void setup_checkpoint(CLI::App&) {}

}  // namespace cli
