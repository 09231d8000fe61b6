#pragma once

#include <string>

#include "base/diagnostic.hpp"
#include "tests/support/catch.hpp"
#include "topology/hardware.hpp"

namespace calibrate {

inline const std::string hardware_folder =
    std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware";

inline std::string text_of(const base::Diagnostics& diagnostics) {
  std::string text;
  for (const base::Diagnostic& diagnostic : diagnostics) text += diagnostic.format() + "\n";
  return text;
}

/// The hardware that is shipped; read once.
inline const topology::HardwareRegistry& shipped_registry() {
  static const auto registry = topology::HardwareRegistry::read(hardware_folder);
  INFO((registry ? "" : text_of(registry.error())));
  REQUIRE(registry);
  return *registry;
}

inline const topology::GpuSpec& shipped_gpu(std::string_view name) {
  const topology::GpuSpec* gpu = shipped_registry().find_gpu(name);
  INFO(name);
  REQUIRE(gpu != nullptr);
  return *gpu;
}

}  // namespace calibrate
