#include "calibrate/runtime/nccl/meeting.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>
#include <thread>

#include "calibrate/runtime/failure.hpp"

namespace calibrate::runtime::nccl {

namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

}  // namespace

Clock steady_clock() {
  const auto now = [] {
    return std::chrono::duration_cast<milliseconds>(
        std::chrono::steady_clock::now().time_since_epoch());
  };
  return {now, [](milliseconds time) { std::this_thread::sleep_for(time); }};
}

void wait_until(const std::function<bool()>& done, std::chrono::seconds limit,
                const std::string& what, const Clock& clock) {
  const milliseconds end = clock.now() + limit;
  for (milliseconds pause{1}; !done(); pause = std::min(2 * pause, milliseconds{50})) {
    if (clock.now() >= end)
      throw Failure(fmt::format("{} did not come within {} s", what, limit.count()));
    clock.sleep(pause);
  }
}

void publish(const std::string& folder, const std::string& name, const std::string& message) {
  const fs::path path = fs::path(folder) / name;
  const fs::path half = path.string() + fmt::format(".{}", ::getpid());
  std::ofstream out(half, std::ios::binary);
  out << message;
  out.close();
  std::error_code failed;
  if (out) fs::rename(half, path, failed);
  if (!out || failed)
    throw Failure(fmt::format("{} cannot be written: ranks meet there", path.string()));
}

std::string await(const std::string& folder, const std::string& name, std::size_t bytes,
                  std::chrono::seconds limit, const Clock& clock) {
  const fs::path path = fs::path(folder) / name;
  std::string message;
  const auto there = [&] {
    std::ifstream in(path, std::ios::binary);
    message.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    return in.good() || in.eof() ? !message.empty() : false;
  };
  wait_until(there, limit, "the word of rank 0 in " + path.string(), clock);
  if (message.size() != bytes)
    throw Failure(fmt::format("{} has {} bytes, not {}: it is of another NCCL", path.string(),
                              message.size(), bytes));
  return message;
}

}  // namespace calibrate::runtime::nccl
