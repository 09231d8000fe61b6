#pragma once

#include <functional>
#include <memory>

#include "base/csv.hpp"
#include "calibrate/calibrated_profile.hpp"
#include "sim/engine.hpp"
#include "sim/training/score.hpp"
#include "topology/hardware.hpp"

namespace cli {

/// Forecasts every row of a table of measured training steps, with what calibrations know of its
/// GPU, and compares.
base::Result<sim::training::Score> score_training(
    const base::Csv& table, const std::shared_ptr<const topology::HardwareRegistry>& registry,
    const calibrate::Calibrations& calibrations, sim::Fidelity fidelity,
    const std::function<void(double)>& progress);

}  // namespace cli
