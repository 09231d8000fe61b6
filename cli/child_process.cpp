#include "cli/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/check.hpp"

namespace cli {

pid_t start_process(const std::vector<std::string>& words, const Variables& variables) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  // Closed by a program that starts; else it brings the reason why it did not.
  std::array<int, 2> reason{};
  if (pipe2(reason.data(), O_CLOEXEC) != 0)
    throw base::EnvironmentError(fmt::format("pipe: {}", std::strerror(errno)));
  const pid_t child = fork();
  if (child == 0) {
    for (const auto& [name, value] : variables) setenv(name.c_str(), value.c_str(), 1);
    execvp(arguments[0], arguments.data());
    const int error = errno;
    [[maybe_unused]] const auto told = write(reason[1], &error, sizeof error);
    _exit(127);
  }
  close(reason[1]);
  int error = child < 0 ? errno : 0;
  if (child > 0 && read(reason[0], &error, sizeof error) > 0) waitpid(child, nullptr, 0);
  close(reason[0]);
  if (error != 0)
    throw base::EnvironmentError(
        fmt::format("'{}' cannot be started: {}", words.front(), std::strerror(error)));
  return child;
}

std::optional<std::string> wait_for(pid_t child) {
  int status = 0;
  while (waitpid(child, &status, 0) < 0)
    if (errno != EINTR)
      throw base::EnvironmentError(fmt::format("waiting for a child: {}", std::strerror(errno)));
  return fault_of(status);
}

std::optional<std::string> fault_of(int status) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFSIGNALED(status)) return fmt::format("was killed by signal {}", WTERMSIG(status));
  return fmt::format("ended with exit code {}", WEXITSTATUS(status));
}

}  // namespace cli
