#include "cli/workers.hpp"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <thread>

#include "base/check.hpp"
#include "sim/engine/child.hpp"

namespace cli {

namespace {

/// What workers and their parent share, before the results.
struct Board {
  std::atomic<int> next = 0;
  std::atomic<int> done = 0;
};

struct Piece {
  enum class State { waiting, begun, done, failed };
  std::atomic<State> state = State::waiting;
  std::array<char, 300> text{};
};

class Pool {
 public:
  Pool(int count, std::size_t bytes, const std::function<void(int, std::byte*)>& work)
      : count_(count),
        stride_((bytes + alignof(std::max_align_t) - 1) / alignof(std::max_align_t) *
                alignof(std::max_align_t)),
        memory_(results_at() + static_cast<std::size_t>(count) * stride_),
        work_(work) {
    new (memory_.data()) Board;
    for (int i = 0; i < count; ++i) new (&piece(i)) Piece;
  }
  ~Pool() {
    for (const pid_t worker : workers_) kill(worker, SIGKILL);
    for (const pid_t worker : workers_) waitpid(worker, nullptr, 0);
  }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  void run(const std::function<void(double)>& progress) {
    const int cores = static_cast<int>(std::max(std::thread::hardware_concurrency(), 1U));
    // A worker that crashes takes one piece with it; others go on, or new ones do.
    while (board().next < count_) {
      while (static_cast<int>(workers_.size()) < std::min(cores, count_ - board().next)) start();
      wait_for_one(progress);
    }
    while (!workers_.empty()) wait_for_one(progress);
  }

  std::string failure(int i) const {
    const Piece& of = piece(i);
    switch (of.state.load()) {
      case Piece::State::done: return {};
      case Piece::State::failed: return of.text.data();
      case Piece::State::waiting:
      case Piece::State::begun: break;
    }
    return "its process ended early";
  }
  std::byte* result(int i) const {
    return memory_.data() + results_at() + static_cast<std::size_t>(i) * stride_;
  }

 private:
  std::size_t results_at() const {
    constexpr std::size_t unit = alignof(std::max_align_t);
    const std::size_t end = pieces_at + static_cast<std::size_t>(count_) * sizeof(Piece);
    return (end + unit - 1) / unit * unit;
  }
  Board& board() const { return *reinterpret_cast<Board*>(memory_.data()); }
  Piece& piece(int i) const {
    return *reinterpret_cast<Piece*>(memory_.data() + pieces_at +
                                     static_cast<std::size_t>(i) * sizeof(Piece));
  }

  void start() {
    std::fflush(nullptr);  // what is buffered now would be written twice
    const pid_t pid = fork();
    if (pid < 0)
      throw base::EnvironmentError(
          fmt::format("cannot start a worker process: {}", std::strerror(errno)));
    if (pid > 0) {
      workers_.push_back(pid);
      return;
    }
    for (int i = board().next++; i < count_; i = board().next++) do_piece(i);
    _exit(0);
  }

  void do_piece(int i) {
    Piece& mine = piece(i);
    mine.state = Piece::State::begun;
    try {
      work_(i, result(i));
      mine.state = Piece::State::done;
    } catch (const std::exception& error) {
      std::strncpy(mine.text.data(), error.what(), mine.text.size() - 1);
      mine.state = Piece::State::failed;
    }
    ++board().done;
  }

  void wait_for_one(const std::function<void(double)>& progress) {
    constexpr auto pause = std::chrono::milliseconds(20);
    for (;;) {
      for (std::size_t w = 0; w < workers_.size(); ++w) {
        if (waitpid(workers_[w], nullptr, WNOHANG) != workers_[w]) continue;
        workers_.erase(workers_.begin() + static_cast<std::ptrdiff_t>(w));
        return;
      }
      if (progress) progress(static_cast<double>(board().done) / count_);
      std::this_thread::sleep_for(pause);
    }
  }

  static constexpr std::size_t pieces_at = 64;
  int count_;
  std::size_t stride_;
  sim::engine::SharedMemory memory_;
  const std::function<void(int, std::byte*)>& work_;
  std::vector<pid_t> workers_;
};

}  // namespace

std::vector<std::string> work_in_processes(int count, std::size_t bytes,
                                           const std::function<void(int, std::byte*)>& work,
                                           const std::function<void(double)>& progress,
                                           const std::function<void(int, const std::byte*)>& take) {
  std::vector<std::string> failures(static_cast<std::size_t>(count));
  if (count == 0) return failures;
  Pool pool(count, bytes, work);
  pool.run(progress);
  for (int i = 0; i < count; ++i) {
    failures[static_cast<std::size_t>(i)] = pool.failure(i);
    if (failures[static_cast<std::size_t>(i)].empty()) take(i, pool.result(i));
  }
  return failures;
}

std::vector<TextResult> texts_in_processes(int count, const std::function<std::string(int)>& work,
                                           const std::function<void(double)>& progress) {
  constexpr std::size_t room = std::size_t{64} << 10;  // pages that are not written cost nothing
  using Length = std::size_t;
  std::vector<TextResult> results(static_cast<std::size_t>(count));
  const std::vector<std::string> failures = work_in_processes(
      count, room,
      [&](int i, std::byte* out) {
        const std::string text = work(i);
        const Length length = text.size();
        if (length > room - sizeof length)
          throw std::runtime_error(
              fmt::format("its answer takes {} bytes, at most {}", length, room - sizeof length));
        std::memcpy(out, &length, sizeof length);
        std::memcpy(out + sizeof length, text.data(), length);
      },
      progress,
      [&](int i, const std::byte* out) {
        Length length = 0;
        std::memcpy(&length, out, sizeof length);
        results[static_cast<std::size_t>(i)].value.assign(
            reinterpret_cast<const char*>(out + sizeof length), length);
      });
  for (std::size_t i = 0; i < results.size(); ++i) results[i].failure = failures[i];
  return results;
}

}  // namespace cli
