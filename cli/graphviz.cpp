#include "cli/graphviz.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/check.hpp"
#include "cli/child_process.hpp"
#include "cli/output.hpp"

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

void write_picture(const std::string& path, const std::string& format, const std::string& dot) {
  TemporaryFile input;
  write_output(input.path(), dot);
  pid_t dot_program = 0;
  try {
    dot_program = start_process({"dot", "-T" + format, "-o", path, input.path()});
  } catch (const base::EnvironmentError& error) {
    throw base::EnvironmentError(
        fmt::format("Graphviz' program {}; install graphviz or write --dot instead", error.what()));
  }
  if (const auto fault = wait_for(dot_program))
    throw base::EnvironmentError(
        fmt::format("Graphviz' program 'dot' could not draw {}: it {}", path, *fault));
}

}  // namespace cli
