#include "cli/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/check.hpp"

namespace cli {

pid_t start_process(const std::vector<std::string>& words, const Variables& variables,
                    const Streams& streams) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  // Closed by a program that starts; else it brings the reason why it did not.
  std::array<int, 2> reason{};
  if (pipe2(reason.data(), O_CLOEXEC) != 0)
    throw base::EnvironmentError(fmt::format("pipe: {}", std::strerror(errno)));
  const pid_t child = fork();
  if (child == 0) {
    if (streams.in >= 0) dup2(streams.in, STDIN_FILENO);
    if (streams.out >= 0) dup2(streams.out, STDOUT_FILENO);
    if (streams.err >= 0) dup2(streams.err, STDERR_FILENO);
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

namespace {

/// An open file, closed at the end.
class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {
    if (number < 0)
      throw base::EnvironmentError(fmt::format("a pipe or file: {}", std::strerror(errno)));
  }
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() { close_now(); }

  int number() const { return number_; }
  void close_now() {
    if (number_ >= 0) close(std::exchange(number_, -1));
  }

 private:
  int number_ = -1;
};

struct Pipe {
  Descriptor read;
  Descriptor write;

  Pipe() {
    std::array<int, 2> ends{-1, -1};
    if (pipe2(ends.data(), O_CLOEXEC) != 0) ends = {-1, -1};
    read = Descriptor(ends[0]);
    write = Descriptor(ends[1]);
  }
};

/// Reads both pipes until they end; false when there was more than `most` bytes.
bool drain(const Pipe& out, const Pipe& err, std::size_t most, Answer& answer) {
  std::array<pollfd, 2> waits{pollfd{out.read.number(), POLLIN, 0},
                              pollfd{err.read.number(), POLLIN, 0}};
  const std::array<std::string*, 2> texts{&answer.out, &answer.err};
  std::vector<char> piece(std::size_t{1} << 16);
  int open = 2;
  while (open > 0) {
    if (poll(waits.data(), waits.size(), -1) < 0) {
      if (errno == EINTR) continue;
      throw base::EnvironmentError(fmt::format("poll: {}", std::strerror(errno)));
    }
    for (std::size_t i = 0; i < waits.size(); ++i) {
      if (waits[i].fd < 0 || waits[i].revents == 0) continue;
      const ssize_t count = read(waits[i].fd, piece.data(), piece.size());
      if (count > 0) {
        texts[i]->append(piece.data(), static_cast<std::size_t>(count));
        if (texts[i]->size() > most) return false;
      } else if (count == 0 || errno != EINTR) {
        waits[i].fd = -1;
        --open;
      }
    }
  }
  return true;
}

}  // namespace

Answer ask_process(const std::vector<std::string>& words, std::size_t most) {
  const Descriptor nothing(open("/dev/null", O_RDONLY | O_CLOEXEC));
  Pipe out;
  Pipe err;
  const pid_t child =
      start_process(words, {}, {nothing.number(), out.write.number(), err.write.number()});
  out.write.close_now();
  err.write.close_now();
  Answer answer;
  const bool all = drain(out, err, most, answer);
  if (!all) kill(child, SIGKILL);
  answer.fault = wait_for(child);
  if (!all) answer.fault = fmt::format("wrote more than {} bytes", most);
  return answer;
}

std::optional<std::string> fault_of(int status) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  if (WIFSIGNALED(status)) return fmt::format("was killed by signal {}", WTERMSIG(status));
  return fmt::format("ended with exit code {}", WEXITSTATUS(status));
}

}  // namespace cli
