#include "cli/graphviz.hpp"

#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/check.hpp"
#include "cli/output.hpp"

extern char** environ;  // NOLINT(readability-redundant-declaration): POSIX leaves it to the caller

namespace cli {

namespace {

/// A file of our own for the time of one call.
class TemporaryFile {
 public:
  TemporaryFile() : path_((std::filesystem::temp_directory_path() / "foreshard-XXXXXX").string()) {
    const int descriptor = mkstemp(path_.data());
    if (descriptor < 0)
      throw base::EnvironmentError(
          fmt::format("no temporary file {}: {}", path_, std::strerror(errno)));
    close(descriptor);
  }
  ~TemporaryFile() { unlink(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  std::string& path() { return path_; }

 private:
  std::string path_;
};

}  // namespace

void write_svg(const std::string& path, const std::string& dot) {
  TemporaryFile input;
  write_output(input.path(), dot);
  std::string output = path;
  std::array<std::string, 3> words{"dot", "-Tsvg", "-o"};
  std::array<char*, 6> arguments{words[0].data(), words[1].data(),     words[2].data(),
                                 output.data(),   input.path().data(), nullptr};
  pid_t child = 0;
  const int error = posix_spawnp(&child, "dot", nullptr, nullptr, arguments.data(), environ);
  if (error != 0)
    throw base::EnvironmentError(fmt::format(
        "Graphviz' program 'dot' cannot be started: {}; install graphviz or write --dot instead",
        std::strerror(error)));
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      throw base::EnvironmentError(fmt::format("waiting for dot: {}", std::strerror(errno)));
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
    throw base::EnvironmentError(fmt::format("Graphviz' program 'dot' could not draw {}", path));
}

}  // namespace cli
