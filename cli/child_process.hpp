#pragma once

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <string>
#include <utility>
#include <vector>

/// Other programs, as children of this one.
namespace cli {

using Variables = std::vector<std::pair<std::string, std::string>>;

/// Open files that become the child's; -1: it has ours.
struct Streams {
  int in = -1;
  int out = -1;
  int err = -1;
};

/// Starts the program that the first word names, looked for in PATH, with more variables in its
/// environment. Throws base::EnvironmentError when it cannot be started.
///
/// Not posix_spawn: that takes `environ`, of which a program that names it has a copy of its own.
/// MPI libraries that are loaded at run time then see two.
pid_t start_process(const std::vector<std::string>& words, const Variables& variables = {},
                    const Streams& streams = {});

/// Waits for a child; how it ended, if not well: "was killed by signal 9", "ended with exit code
/// 1".
std::optional<std::string> wait_for(pid_t child);
std::optional<std::string> fault_of(int status);

/// What a program wrote, and how it ended, if not well.
struct Answer {
  std::string out;
  std::string err;
  std::optional<std::string> fault;
};

/// Runs a program to its end, with nothing to read. One that writes more than `most` bytes is
/// killed. Throws as `start_process` does.
Answer ask_process(const std::vector<std::string>& words, std::size_t most);

}  // namespace cli
