#include <cblas.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <thread>

#include "calibrate/runtime/blas/work.hpp"
#include "calibrate/runtime/software.hpp"

/// The runtime "blas": one core of this machine as a device.
namespace calibrate::runtime::blas {

namespace {

using Clock = std::chrono::steady_clock;

struct Device {
  std::string error;
};

struct Prepared {
  std::unique_ptr<Work> work;
};

std::string open_error;

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "CPU";
}

double clock_mhz() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);)
    if (line.starts_with("cpu MHz")) return std::strtod(line.c_str() + line.find(':') + 1, nullptr);
  return 0;
}

Device* of(void* device) { return static_cast<Device*>(device); }

const char* version() { return FORESHARD_RUNTIME_ABI; }
int32_t devices() {
  return static_cast<int32_t>(std::max(1U, std::thread::hardware_concurrency()));
}

void* open(int32_t device) {
  if (device < 0 || device >= devices()) {
    open_error = "this machine has " + std::to_string(devices()) + " cores";
    return nullptr;
  }
  openblas_set_num_threads(1);
  return new Device;
}

void close(void* device) { delete of(device); }
const char* error(void* device) {
  return device == nullptr ? open_error.c_str() : of(device)->error.c_str();
}

int32_t info(void*, foreshard_device_info* info) {
  *info = {};
  copy_text(info->name, "cpu-core");  // as in the hardware registry
  copy_text(info->identity, processor());
  info->memory = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE) / devices();
  info->host = 1;
  return 0;
}

int32_t software(void*, int32_t index, foreshard_software* software) {
  if (index != 0) return 1;
  *software = {};
  copy_text(software->name, "OpenBLAS");
  // "OpenBLAS 0.3.21 DYNAMIC_ARCH …": the second word; the core that it chose after it.
  std::string version = openblas_get_config();
  version = version.substr(version.find(' ') + 1);
  copy_text(software->version,
            version.substr(0, version.find(' ')) + " " + openblas_get_corename());
  return 0;
}

int32_t sensors(void*, foreshard_sensors* sensors) {
  *sensors = {};
  sensors->clock_mhz = clock_mhz();
  return 0;
}

void* allocate(void* device, int64_t bytes) {
  constexpr std::size_t line = 64;
  void* const memory =
      std::aligned_alloc(line, (static_cast<std::size_t>(bytes) + line) / line * line);
  if (memory == nullptr)
    of(device)->error = "this machine has no " + std::to_string(bytes) + " bytes of memory";
  return memory;
}
void release(void*, void* memory) { std::free(memory); }
int32_t copy(void*, void* to, const void* from, int64_t bytes) {
  std::memcpy(to, from, static_cast<std::size_t>(bytes));
  return 0;
}

void* no_stream(void*) { return nullptr; }
void nothing(void*, void*) {}
int32_t synchronise(void*, void*) { return 0; }
void* create_event(void*) { return new Clock::time_point; }
void destroy_event(void*, void* event) { delete static_cast<Clock::time_point*>(event); }
int32_t record(void*, void* event, void*) {
  *static_cast<Clock::time_point*>(event) = Clock::now();
  return 0;
}
int32_t wait(void*, void*, void*) { return 0; }
int32_t elapsed(void*, void* begin, void* end, double* seconds) {
  *seconds = std::chrono::duration<double>(*static_cast<Clock::time_point*>(end) -
                                           *static_cast<Clock::time_point*>(begin))
                 .count();
  return 0;
}

std::unique_ptr<Work> make(const foreshard_kernel& kernel, std::string& reason) {
  const std::string_view kind(kernel.kind);
  if (kind == "gemm") return make_gemm(kernel, reason);
  if (kind == "attention") return make_attention(kernel, reason);
  return make_memory_bound(kernel, reason);
}

void* prepare(void* device, const foreshard_kernel* kernel, const char*) {
  try {
    std::unique_ptr<Work> work = make(*kernel, of(device)->error);
    return work == nullptr ? nullptr : new Prepared{std::move(work)};
  } catch (const std::bad_alloc&) {
    of(device)->error = "this machine has not enough memory for it";
    return nullptr;
  }
}

const char* variant(void*, void*) { return ""; }
const char* library(void*, void* work) { return static_cast<Prepared*>(work)->work->library(); }
int32_t launch(void*, void* work, void*) {
  static_cast<Prepared*>(work)->work->run();
  return 0;
}
void discard(void*, void* work) { delete static_cast<Prepared*>(work); }

constexpr foreshard_compute table{version,      devices,       open,      close,    error,
                                  info,         software,      sensors,   allocate, release,
                                  copy,         copy,          no_stream, nothing,  synchronise,
                                  create_event, destroy_event, record,    wait,     elapsed,
                                  prepare,      variant,       library,   launch,   discard};

}  // namespace

extern "C" __attribute__((visibility("default"))) const foreshard_compute*
foreshard_compute_blas() {
  return &table;
}

}  // namespace calibrate::runtime::blas
