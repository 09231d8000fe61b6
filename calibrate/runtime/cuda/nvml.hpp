#pragma once

#include <string>

#include "calibrate/runtime/runtime.h"

namespace calibrate::runtime::cuda {

/// A GPU as NVML, the driver's library for its state, knows it. NVML is loaded when it is first
/// needed; where it is not there, or does not tell, figures are 0.
class NvmlDevice {
 public:
  NvmlDevice() = default;
  /// `identity`: "GPU-" and a UUID.
  explicit NvmlDevice(const std::string& identity);

  foreshard_sensors read() const;

 private:
  void* device_ = nullptr;
};

/// The driver's version, "580.65.06"; empty where NVML does not tell.
std::string driver_version();

}  // namespace calibrate::runtime::cuda
