#pragma once

#include <cstddef>
#include <functional>
#include <span>

namespace sim::engine {

/// Memory that a child process and its parent share.
class SharedMemory {
 public:
  explicit SharedMemory(std::size_t bytes);  ///< throws base::EnvironmentError
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  std::byte* data() const { return data_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Runs `body` in a forked child and waits for it; what `body` reports through its argument comes
/// to `progress` here. An exception or a crash there is a base::EnvironmentError here. `body` hands
/// results back through shared memory.
void run_in_child(const std::function<void(const std::function<void(double)>& report)>& body,
                  const std::function<void(double)>& progress);

}  // namespace sim::engine
