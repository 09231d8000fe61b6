#include "calibrate/harness/machine.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <thread>

namespace calibrate::harness {

namespace {

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown";
}

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

}  // namespace

Machine this_machine() {
  utsname name{};
  uname(&name);
  Machine machine;
  machine.host = name.nodename;
  machine.cpu = processor();
  machine.cores = static_cast<int>(std::thread::hardware_concurrency());
  machine.memory = base::Bytes::from_count(static_cast<std::int64_t>(sysconf(_SC_PHYS_PAGES)) *
                                           sysconf(_SC_PAGESIZE));
  machine.system = fmt::format("{} {}", name.sysname, name.release);
  return machine;
}

std::uint64_t host_identity() {
  // Containers may share a name, and their host its boot identity: both together.
  const std::string boot = first_line("/proc/sys/kernel/random/boot_id");
  return std::hash<std::string>{}(this_machine().host + " " + boot);
}

int ranks_per_device(const World& world, const Device& device) {
  struct Place {
    std::uint64_t host;
    std::int64_t devices;
  };
  std::map<std::uint64_t, int> on_host;
  int most = 1;
  for (const Place& one : world.share(std::vector{Place{host_identity(), device.count()}}))
    most = std::max(most, static_cast<int>(base::ceil_div(++on_host[one.host], one.devices)));
  return most;
}

std::string now_text() {
  const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(now));
}

std::string new_run_id() {
  std::random_device random;
  return fmt::format("{:08x}{:08x}{:08x}{:08x}", random(), random(), random(), random());
}

}  // namespace calibrate::harness
