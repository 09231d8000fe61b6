#include "sim/engine/child.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string>

#include "base/check.hpp"

namespace sim::engine {

namespace {

/// What a child writes into the pipe: fixed size, so that a message is never split.
struct Note {
  enum class Kind { progress, failed, done } kind = Kind::progress;
  double share = 0;
  std::array<char, 400> text{};
};

[[noreturn]] void fail(const char* what) {
  throw base::EnvironmentError(
      fmt::format("cannot start a simulation process: {}: {}", what, std::strerror(errno)));
}

void write_note(int pipe, const Note& note) {
  while (write(pipe, &note, sizeof note) < 0 && errno == EINTR) {
  }
}

/// SimGrid walks connected links recursively; a large fabric needs more than the usual 8 MiB.
void raise_stack_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_STACK, &limit) != 0) return;
  const rlim_t wanted = rlim_t{512} << 20;
  limit.rlim_cur = limit.rlim_max == RLIM_INFINITY ? wanted : std::min(wanted, limit.rlim_max);
  setrlimit(RLIMIT_STACK, &limit);
}

[[noreturn]] void be_child(int pipe,
                           const std::function<void(const std::function<void(double)>&)>& body) {
  for (const int signal : {SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTERM, SIGINT})
    std::signal(signal, SIG_DFL);  // handlers of the parent would speak for it
  raise_stack_limit();
  Note last{Note::Kind::done, 1, {}};
  try {
    body([pipe](double share) { write_note(pipe, {Note::Kind::progress, share, {}}); });
  } catch (const std::exception& error) {
    last.kind = Note::Kind::failed;
    std::strncpy(last.text.data(), error.what(), last.text.size() - 1);
  }
  write_note(pipe, last);
  _exit(0);
}

class Child {
 public:
  Child(pid_t pid, int pipe) : pid_(pid), pipe_(pipe) {}
  ~Child() {
    close(pipe_);
    if (pid_ < 0) return;
    kill(pid_, SIGKILL);
    wait_for_end(0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  /// The next note; false when the child has ended without one.
  bool next(Note& note) {
    for (;;) {
      pollfd ready{pipe_, POLLIN, 0};
      // Another child of this process may hold our pipe open: look now and then.
      const int found = poll(&ready, 1, 100);
      if (found > 0) return read_note(note);
      if (found == 0 && wait_for_end(WNOHANG)) {
        ready = {pipe_, POLLIN, 0};
        return poll(&ready, 1, 0) > 0 && read_note(note);
      }
      if (found < 0 && errno != EINTR) return false;
    }
  }

  std::string end() {
    wait_for_end(0);
    if (WIFSIGNALED(status_))
      return fmt::format("signal {} ({})", WTERMSIG(status_), strsignal(WTERMSIG(status_)));
    return fmt::format("exit code {}", WEXITSTATUS(status_));
  }

 private:
  bool read_note(Note& note) {
    std::size_t have = 0;
    while (have < sizeof note) {
      const ssize_t got = read(pipe_, reinterpret_cast<char*>(&note) + have, sizeof note - have);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return false;
      have += static_cast<std::size_t>(got);
    }
    return true;
  }

  bool wait_for_end(int flags) {
    while (pid_ >= 0) {
      const pid_t ended = waitpid(pid_, &status_, flags);
      if (ended == 0) return false;
      if (ended == pid_ || errno != EINTR) pid_ = -1;
    }
    return true;
  }

  pid_t pid_;
  int pipe_;
  int status_ = 0;
};

}  // namespace

SharedMemory::SharedMemory(std::size_t bytes) : bytes_(std::max<std::size_t>(bytes, 1)) {
  void* const mapped =
      mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) fail("mmap");
  data_ = static_cast<std::byte*>(mapped);
}

SharedMemory::~SharedMemory() { munmap(data_, bytes_); }

void run_in_child(const std::function<void(const std::function<void(double)>& report)>& body,
                  const std::function<void(double)>& progress) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) fail("pipe");
  const pid_t pid = fork();
  if (pid < 0) {
    close(ends[0]);
    close(ends[1]);
    fail("fork");
  }
  if (pid == 0) {
    close(ends[0]);
    be_child(ends[1], body);
  }
  close(ends[1]);
  Child child(pid, ends[0]);
  Note note;
  while (child.next(note)) {
    if (note.kind == Note::Kind::failed) throw base::EnvironmentError(note.text.data());
    if (note.kind == Note::Kind::done) {
      child.end();
      return;
    }
    if (progress) progress(note.share);
  }
  throw base::EnvironmentError(fmt::format("the simulation process ended early: {}", child.end()));
}

}  // namespace sim::engine
