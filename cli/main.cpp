#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <new>
#include <string_view>
#include <vector>

#include "base/check.hpp"
#include "base/diagnostic.hpp"
#include "cli/commands.hpp"
#include "cli/exit_code.hpp"
#include "cli/output.hpp"

namespace {

/// CLI11 only says that a subcommand is missing; a misspelt one deserves its name back.
bool is_unknown_subcommand(const CLI::App& app, std::string_view word) {
  std::vector<std::string_view> known;
  for (const CLI::App* command : app.get_subcommands({})) known.push_back(command->get_name());
  if (word.starts_with('-') || std::find(known.begin(), known.end(), word) != known.end())
    return false;
  cli::print({{{}, fmt::format("unknown subcommand '{}'", word), base::suggest(word, known)}});
  return true;
}

int run_command_line(int argc, char** argv) {
  CLI::App app(
      "Forecasts a sharded training step before the cluster is rented: how long it takes, why,\n"
      "whether it fits, and how sure that is.",
      "foreshard");
  app.set_version_flag("--version", "foreshard " FORESHARD_VERSION);
  app.require_subcommand(1);
  cli::setup_run(app);
  cli::setup_check(app);
  cli::setup_autoshard(app);
  cli::setup_compare(app);
  cli::setup_calibrate(app);
  cli::setup_topology(app);
  cli::setup_place(app);
  cli::setup_validate(app);
  cli::setup_convert(app);
  cli::setup_checkpoint(app);
  cli::setup_view(app);
  if (argc > 1 && is_unknown_subcommand(app, argv[1])) return cli::wrong_command;
  try {
    app.parse(argc, argv);
  } catch (const CLI::RuntimeError& end) {  // a subcommand that did not end with `done`
    return end.get_exit_code();
  } catch (const CLI::ParseError& error) {  // --help comes here too, with code 0
    return app.exit(error) == 0 ? cli::done : cli::wrong_command;
  }
  return cli::done;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run_command_line(argc, argv);
  } catch (const base::EnvironmentError& error) {
    fmt::print(stderr, "foreshard: error: {}\n", error.what());
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "foreshard: error: this machine has not enough memory for it\n");
  } catch (const std::exception& error) {
    fmt::print(stderr, "foreshard: bug: {}\n", error.what());
  }
  return cli::broken;
}
