#pragma once

#include <string>

#include "calibrate/fit/report.hpp"
#include "calibrate/replay.hpp"

/// What is known of a calibration, for people and for programs.
namespace viz {

/// Latency and bandwidth of every range of every collective, formulas of kernels, and how far both
/// are off.
std::string fit_text(const calibrate::fit::Report& report);
/// "foreshard.fit.v1".
std::string fit_json(const calibrate::fit::Report& report);

/// The parameters of one fit on one line of JSON, with the keys of fit_json. `bus_factor` makes
/// bandwidths those of the bus; 1 for kernels.
std::string parameters_json(const calibrate::fit::SizeFit& fit, double bus_factor);
std::string parameters_json(const calibrate::fit::ShapeFit& fit);

/// Measured and simulated times of every size.
std::string replay_text(const calibrate::Replay& replay);
/// "foreshard.replay.v1".
std::string replay_json(const calibrate::Replay& replay);
/// One panel a sweep: measured times as points, simulated ones as a line.
std::string replay_svg(const calibrate::Replay& replay);

}  // namespace viz
