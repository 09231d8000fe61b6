#pragma once

#include <CLI/CLI.hpp>

namespace cli {

/// What scripts may rely on. Anything that is thrown up to `main` is `broken`.
enum ExitCode : int {
  done = 0,
  mistake = 1,        ///< in the input
  wrong_command = 2,  ///< in the command line
  infeasible = 3,     ///< understood, but does not fit or cannot be placed
  broken = 70,        ///< our bug, or the machine we run on
};

/// Ends a subcommand's callback; `main` returns the code.
inline void leave_with(ExitCode code) {
  if (code != done) throw CLI::RuntimeError(code);
}

}  // namespace cli
