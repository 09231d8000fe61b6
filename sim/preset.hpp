#pragma once

#include <string>

#include "base/document.hpp"

namespace sim {

/// Where frameworks are described: beside the hardware.
std::string frameworks_folder(const std::string& hardware_folder);

/// `plan: {preset: NAME}`: what a framework does unless it is told otherwise. Keys of the map
/// `plan` in the file NAME.yaml in `folder` are put into the plan of a scenario where it has none
/// of that name, in maps inside it too, but for the operators of another recompute; the word
/// `preset` is taken out, and is all that happens where it is null. Mistakes: no such file, or none
/// that can be read.
base::Diagnostics apply_preset(base::Document& scenario, const std::string& folder);

}  // namespace sim
