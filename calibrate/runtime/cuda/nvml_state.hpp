#pragma once

#include <cstdint>

namespace calibrate::runtime::cuda {

/// Why a GPU's clock is below its highest, as NVML's "clocks throttle reasons" have it.
enum class ClockReason : std::uint64_t {
  idle = 0x1,
  application_clocks = 0x2,
  software_power_cap = 0x4,
  hardware_slowdown = 0x8,
  sync_boost = 0x10,
  software_thermal = 0x20,
  hardware_thermal = 0x40,
  power_brake = 0x80,
  display_clocks = 0x100,
};

/// Whether a measurement made now would not be the device's usual self: it is too hot, or power
/// from outside fails. The software power cap does not count: under a large GEMM every GPU runs at
/// its power limit, and so it will in training.
bool is_throttled(std::uint64_t reasons);

}  // namespace calibrate::runtime::cuda
