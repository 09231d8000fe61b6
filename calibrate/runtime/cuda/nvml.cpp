#include "calibrate/runtime/cuda/nvml.hpp"

#include <dlfcn.h>

#include <array>
#include <cstdint>

#include "calibrate/runtime/cuda/nvml_state.hpp"

namespace calibrate::runtime::cuda {

namespace {

// NVML's header does not come with CUDA's libraries everywhere: here is the little that is used.
constexpr int success = 0;
constexpr int sm_clock = 1;
constexpr int gpu_temperature = 0;

using Handle = void*;

/// NVML's functions; NULL where they are not there.
struct Library {
  int (*start)() = nullptr;
  int (*driver)(char*, unsigned) = nullptr;
  int (*find)(const char*, Handle*) = nullptr;
  int (*clock)(Handle, int, unsigned*) = nullptr;
  int (*power)(Handle, unsigned*) = nullptr;
  int (*temperature)(Handle, int, unsigned*) = nullptr;
  int (*reasons)(Handle, unsigned long long*) = nullptr;
};

template <class Function>
void find_function(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(library, name));
}

Library load() {
  Library nvml;
  void* opened = ::dlopen("libnvidia-ml.so.1", RTLD_LAZY | RTLD_LOCAL);  // never closed
  if (opened == nullptr) return nvml;
  find_function(opened, "nvmlInit_v2", nvml.start);
  if (nvml.start == nullptr || nvml.start() != success) return nvml;
  find_function(opened, "nvmlSystemGetDriverVersion", nvml.driver);
  find_function(opened, "nvmlDeviceGetHandleByUUID", nvml.find);
  find_function(opened, "nvmlDeviceGetClockInfo", nvml.clock);
  find_function(opened, "nvmlDeviceGetPowerUsage", nvml.power);
  find_function(opened, "nvmlDeviceGetTemperature", nvml.temperature);
  find_function(opened, "nvmlDeviceGetCurrentClocksThrottleReasons", nvml.reasons);
  return nvml;
}

const Library& nvml() {
  static const Library library = load();
  return library;
}

}  // namespace

NvmlDevice::NvmlDevice(const std::string& identity) {
  if (nvml().find == nullptr || nvml().find(identity.c_str(), &device_) != success)
    device_ = nullptr;
}

foreshard_sensors NvmlDevice::read() const {
  foreshard_sensors sensors{};
  if (device_ == nullptr) return sensors;
  unsigned figure = 0;
  if (nvml().clock != nullptr && nvml().clock(device_, sm_clock, &figure) == success)
    sensors.clock_mhz = figure;
  if (nvml().power != nullptr && nvml().power(device_, &figure) == success)
    sensors.power_w = figure * 1e-3;  // it tells milliwatts
  if (nvml().temperature != nullptr &&
      nvml().temperature(device_, gpu_temperature, &figure) == success)
    sensors.temperature_c = figure;
  unsigned long long reasons = 0;
  if (nvml().reasons != nullptr && nvml().reasons(device_, &reasons) == success)
    sensors.throttled = is_throttled(reasons) ? 1 : 0;
  return sensors;
}

std::string driver_version() {
  std::array<char, 96> text{};
  if (nvml().driver == nullptr || nvml().driver(text.data(), text.size() - 1) != success) return {};
  return text.data();
}

}  // namespace calibrate::runtime::cuda
