// The table of functions of the runtime "cuda": a thin layer that catches what is thrown.

#include <cublasLt.h>
#include <fmt/format.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "calibrate/runtime/cuda/check.hpp"
#include "calibrate/runtime/cuda/identity.hpp"
#include "calibrate/runtime/cuda/work.hpp"
#include "calibrate/runtime/failure.hpp"
#include "calibrate/runtime/software.hpp"

namespace calibrate::runtime::cuda {

namespace {

/// Why `devices` or `open` failed, in this thread.
std::string& error_of_open() {
  thread_local std::string error;
  return error;
}

Device& device_of(void* device) { return *static_cast<Device*>(device); }

/// Does something on a device, in whichever thread.
template <class Action>
std::int32_t on(void* device, Action action) noexcept {
  return guarded(device_of(device).error, [&] {
    check(cudaSetDevice(device_of(device).ordinal), "the device");
    action();
  });
}

const char* version() { return FORESHARD_RUNTIME_ABI; }

std::int32_t devices() {
  int count = 0;
  const std::int32_t failed = guarded(
      error_of_open(), [&] { check(cudaGetDeviceCount(&count), "no device of CUDA works"); });
  return failed != 0 ? 0 : count;
}

std::unique_ptr<Device> make_device(int ordinal) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, ordinal), fmt::format("device {}", ordinal));
  check(cudaSetDevice(ordinal), fmt::format("device {}", ordinal));
  auto device = std::make_unique<Device>();
  device->ordinal = ordinal;
  device->name = properties.name;
  device->identity = identity_of(properties.uuid.bytes);
  device->memory = static_cast<std::int64_t>(properties.totalGlobalMem);
  device->cache = properties.l2CacheSize;
  device->capability = properties.major * 10 + properties.minor;
  device->sensors = NvmlDevice(device->identity);
  return device;
}

void* open(std::int32_t ordinal) {
  std::unique_ptr<Device> device;
  guarded(error_of_open(), [&] { device = make_device(ordinal); });
  return device.release();
}

void close(void* device) { delete static_cast<Device*>(device); }

const char* error(void* device) {
  return device == nullptr ? error_of_open().c_str() : device_of(device).error.c_str();
}

std::int32_t info(void* device, foreshard_device_info* info) {
  *info = {};
  copy_text(info->name, device_of(device).name);
  copy_text(info->identity, device_of(device).identity);
  info->memory = device_of(device).memory;
  return 0;
}

std::vector<std::pair<std::string, std::string>> software_list() {
  int driver = 0;
  int runtime = 0;
  check(cudaDriverGetVersion(&driver), "the driver's version");
  check(cudaRuntimeGetVersion(&runtime), "CUDA's version");
  const std::string exact = driver_version();
  std::vector<std::pair<std::string, std::string>> list{
      {"driver", exact.empty() ? "for CUDA " + cuda_version(driver) : exact},
      {"CUDA", cuda_version(runtime)},
      {"cuBLASLt", library_version(cublasLtGetVersion())}};
  if (!attention_version().empty()) list.emplace_back("cuDNN", attention_version());
  return list;
}

std::int32_t software(void* device, std::int32_t index, foreshard_software* software) {
  std::int32_t answer = 1;
  const std::int32_t failed =
      on(device, [&] { answer = tell_software(software_list(), index, software); });
  return failed != 0 ? failed : answer;
}

std::int32_t sensors(void* device, foreshard_sensors* sensors) {
  *sensors = device_of(device).sensors.read();
  return 0;
}

void* allocate(void* device, std::int64_t bytes) {
  void* memory = nullptr;
  on(device, [&] {
    check(cudaMalloc(&memory, static_cast<std::size_t>(bytes)),
          fmt::format("{} bytes of device memory", bytes));
  });
  return memory;
}

void release(void* device, void* memory) {
  on(device, [&] { check(cudaFree(memory), "freeing memory"); });
}

std::int32_t copy(void* device, void* to, const void* from, std::int64_t bytes,
                  cudaMemcpyKind kind) {
  return on(device,
            [&] { check(cudaMemcpy(to, from, static_cast<std::size_t>(bytes), kind), "a copy"); });
}

std::int32_t to_device(void* device, void* memory, const void* host, std::int64_t bytes) {
  return copy(device, memory, host, bytes, cudaMemcpyHostToDevice);
}

std::int32_t to_host(void* device, void* host, const void* memory, std::int64_t bytes) {
  return copy(device, host, memory, bytes, cudaMemcpyDeviceToHost);
}

/// Streams do not wait for the null stream, on which operands are filled: `prepare` waits for that.
void* create_stream(void* device) {
  cudaStream_t stream = nullptr;
  on(device, [&] { check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "a stream"); });
  return stream;
}

void destroy_stream(void* device, void* stream) {
  on(device, [&] { check(cudaStreamDestroy(static_cast<cudaStream_t>(stream)), "a stream"); });
}

std::int32_t synchronise(void* device, void* stream) {
  return on(device, [&] {
    check(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)), "waiting for a stream");
  });
}

void* create_event(void* device) {
  cudaEvent_t event = nullptr;
  on(device, [&] { check(cudaEventCreate(&event), "an event"); });
  return event;
}

void destroy_event(void* device, void* event) {
  on(device, [&] { check(cudaEventDestroy(static_cast<cudaEvent_t>(event)), "an event"); });
}

std::int32_t record(void* device, void* event, void* stream) {
  return on(device, [&] {
    check(cudaEventRecord(static_cast<cudaEvent_t>(event), static_cast<cudaStream_t>(stream)),
          "recording an event");
  });
}

std::int32_t wait(void* device, void* stream, void* event) {
  return on(device, [&] {
    check(cudaStreamWaitEvent(static_cast<cudaStream_t>(stream), static_cast<cudaEvent_t>(event)),
          "waiting for an event");
  });
}

std::int32_t elapsed(void* device, void* begin, void* end, double* seconds) {
  return on(device, [&] {
    float milliseconds = 0;
    check(cudaEventSynchronize(static_cast<cudaEvent_t>(end)), "waiting for an event");
    check(cudaEventElapsedTime(&milliseconds, static_cast<cudaEvent_t>(begin),
                               static_cast<cudaEvent_t>(end)),
          "the time between events");
    *seconds = static_cast<double>(milliseconds) * 1e-3;
  });
}

std::unique_ptr<Work> make_work(const Device& device, foreshard_kernel kernel,
                                std::string_view variant) {
  if (variant != "heuristic" && variant != "best")
    throw Failure(fmt::format("no variant '{}' (known: heuristic, best)", variant));
  for (const char** word : {&kernel.kind, &kernel.dtype, &kernel.output})
    if (*word == nullptr) *word = "";
  const bool best = variant == "best";
  const std::string_view kind = kernel.kind;
  if (kind == "gemm") return prepare_gemm(device, kernel, best);
  if (kind == "attention") return prepare_attention(device, kernel, best);
  return prepare_memory_bound(device, kernel);
}

void* prepare(void* device, const foreshard_kernel* kernel, const char* variant) {
  std::unique_ptr<Work> work;
  on(device, [&] {
    auto made = make_work(device_of(device), *kernel, variant == nullptr ? "heuristic" : variant);
    check(cudaStreamSynchronize(nullptr), "filling operands");
    work = std::move(made);
  });
  return work.release();
}

Work& work_of(void* work) { return *static_cast<Work*>(work); }

const char* variant(void*, void* work) { return work_of(work).variant(); }

const char* library(void*, void* work) { return work_of(work).library(); }

std::int32_t launch(void* device, void* work, void* stream) {
  return on(device, [&] { work_of(work).launch(static_cast<cudaStream_t>(stream)); });
}

/// What still runs has its operands until it is done: freeing memory waits.
void discard(void* device, void* work) {
  on(device, [&] { delete static_cast<Work*>(work); });
}

}  // namespace

}  // namespace calibrate::runtime::cuda

extern "C" __attribute__((visibility("default"))) const foreshard_compute*
foreshard_compute_cuda() {
  using namespace calibrate::runtime::cuda;
  static constexpr foreshard_compute table{
      version,     devices,      open,          close,     error,   info,          software,
      sensors,     allocate,     release,       to_device, to_host, create_stream, destroy_stream,
      synchronise, create_event, destroy_event, record,    wait,    elapsed,       prepare,
      variant,     library,      launch,        discard};
  return &table;
}
