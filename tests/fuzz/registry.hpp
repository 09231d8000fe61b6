#pragma once

#include <memory>
#include <string>

#include "base/check.hpp"
#include "topology/hardware.hpp"

namespace fuzz {

/// The registry that ships with the program, read once.
inline std::shared_ptr<const topology::HardwareRegistry> shipped_registry() {
  static const auto registry = [] {
    auto read =
        topology::HardwareRegistry::read(std::string(FORESHARD_SOURCE_DIR) + "/scenarios/hardware");
    CHECK_INVARIANT(read.has_value());
    return std::make_shared<const topology::HardwareRegistry>(std::move(*read));
  }();
  return registry;
}

}  // namespace fuzz
