#include "calibrate/runtime/nccl/watchdog.hpp"

#include <fmt/format.h>

#include <utility>

namespace calibrate::runtime::nccl {

Watchdog::Watchdog(Watched watched, std::chrono::seconds limit, Clock clock)
    : watched_(std::move(watched)), limit_(limit), clock_(std::move(clock)) {}

void Watchdog::launched() {
  const std::lock_guard lock(mutex_);
  launched_ = clock_.now();
}

bool Watchdog::look() {
  const std::lock_guard lock(mutex_);
  if (verdict_) return false;
  if (const auto failure = watched_.failure()) return end(*failure);
  if (!launched_) return true;
  if (watched_.done())
    launched_.reset();
  else if (clock_.now() - *launched_ >= limit_)
    return end(
        fmt::format("a collective did not end within {} s: a rank is gone, or did not call "
                    "it",
                    limit_.count()));
  return true;
}

std::optional<std::string> Watchdog::verdict() const {
  const std::lock_guard lock(mutex_);
  return verdict_;
}

bool Watchdog::end(const std::string& why) {
  verdict_ = why;
  watched_.abort();
  return false;
}

Patrol::Patrol(Watchdog& watchdog)
    : thread_([&watchdog](const std::stop_token& stop) {
        while (!stop.stop_requested() && watchdog.look())
          std::this_thread::sleep_for(std::chrono::milliseconds{100});
      }) {}

}  // namespace calibrate::runtime::nccl
