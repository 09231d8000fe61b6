#include "calibrate/harness/machine.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <functional>
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

bool ranks_share_cores(const World& world) {
  struct Place {
    std::uint64_t host;
    cpu_set_t cores;
  };
  Place mine{host_identity(), {}};
  sched_getaffinity(0, sizeof mine.cores, &mine.cores);
  cpu_set_t together;
  CPU_ZERO(&together);
  int ranks = 0;
  for (const Place& one : world.share(std::vector{mine})) {
    if (one.host != mine.host) continue;
    CPU_OR(&together, &together, &one.cores);
    ++ranks;
  }
  return ranks > CPU_COUNT(&together);
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
