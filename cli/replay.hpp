#pragma once

#include <memory>

#include "calibrate/replay.hpp"

namespace cli {

/// Plays every measured size of every fit in the simulator.
calibrate::Replay replay(const calibrate::fit::CollectiveFits& fits,
                         const std::shared_ptr<const topology::HardwareRegistry>& registry);

}  // namespace cli
