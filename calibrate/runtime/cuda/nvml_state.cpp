#include "calibrate/runtime/cuda/nvml_state.hpp"

#include <initializer_list>

namespace calibrate::runtime::cuda {

bool is_throttled(std::uint64_t reasons) {
  for (const ClockReason reason : {ClockReason::hardware_slowdown, ClockReason::software_thermal,
                                   ClockReason::hardware_thermal, ClockReason::power_brake})
    if ((reasons & static_cast<std::uint64_t>(reason)) != 0) return true;
  return false;
}

}  // namespace calibrate::runtime::cuda
