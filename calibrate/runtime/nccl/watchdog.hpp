#pragma once

#include <chrono>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "calibrate/runtime/nccl/meeting.hpp"

namespace calibrate::runtime::nccl {

/// What the watchdog of a rank can see and do; called from its thread.
struct Watched {
  /// What NCCL itself found wrong; nothing while all is well.
  std::function<std::optional<std::string>()> failure;
  /// Whether the work that was launched last is done.
  std::function<bool()> done;
  /// Ends all collectives of this rank, so that streams that wait for them go on.
  std::function<void()> abort;
};

/// Ends the collectives of a rank when NCCL reports an error, or when the last that
/// was launched takes longer than a limit: the host waits for a stream, and the stream for a rank
/// that died.
class Watchdog {
 public:
  Watchdog(Watched watched, std::chrono::seconds limit, Clock clock);

  /// To be told of each launch.
  void launched();
  /// One look; false when there is nothing more to look at.
  bool look();
  /// Why collectives were ended; nothing while they go on.
  std::optional<std::string> verdict() const;

 private:
  bool end(const std::string& why);

  Watched watched_;
  std::chrono::seconds limit_;
  Clock clock_;
  mutable std::mutex mutex_;
  std::optional<std::chrono::milliseconds> launched_;
  std::optional<std::string> verdict_;
};

/// Lets a watchdog look ten times a second, until it is destroyed.
class Patrol {
 public:
  explicit Patrol(Watchdog& watchdog);

 private:
  std::jthread thread_;
};

}  // namespace calibrate::runtime::nccl
