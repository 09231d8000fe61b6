#pragma once

#include <vector>

#include "cli/forecast.hpp"
#include "sim/report.hpp"
#include "sim/scenario.hpp"

namespace cli {

/// Whether all changes together take seconds. By what is simulated, not by a clock: the same
/// answer has the same bytes on any machine.
bool quick_to_play(const sim::Timeline& timeline);

/// The step of a forecast once more with one thing changed at a time, in processes side by side;
/// least step first. Throws base::EnvironmentError when one of them dies.
std::vector<sim::ChangedStep> play_changes(const sim::Scenario& scenario, const Forecast& forecast,
                                           sim::Fidelity fidelity);

}  // namespace cli
