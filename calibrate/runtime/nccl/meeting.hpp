#pragma once

#include <chrono>
#include <functional>
#include <string>

/// How ranks wait for each other, within bounds.
namespace calibrate::runtime::nccl {

/// Time as the waiting see it: tests have one that does not pass by itself.
struct Clock {
  std::function<std::chrono::milliseconds()> now;
  std::function<void(std::chrono::milliseconds)> sleep;
};

Clock steady_clock();

/// Asks `done` until it is true, at first at once, then every few milliseconds; throws Failure
/// "... did not come within N s" when the time is over. What `done` throws passes.
void wait_until(const std::function<bool()>& done, std::chrono::seconds limit,
                const std::string& what, const Clock& clock);

/// Puts a message into a folder that all ranks see, at once or not at all: nobody reads half of it.
/// Throws Failure where the folder cannot be written.
void publish(const std::string& folder, const std::string& name, const std::string& message);

/// Waits for a message of so many bytes.
std::string await(const std::string& folder, const std::string& name, std::size_t bytes,
                  std::chrono::seconds limit, const Clock& clock);

}  // namespace calibrate::runtime::nccl
