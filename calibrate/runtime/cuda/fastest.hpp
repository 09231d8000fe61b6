#pragma once

#include <functional>
#include <optional>

namespace calibrate::runtime::cuda {

/// The fastest of so many candidates; `time` has seconds for each, or nothing for one that fails.
/// The first of equals; nothing when all fail.
std::optional<int> fastest(int candidates, const std::function<std::optional<double>(int)>& time);

}  // namespace calibrate::runtime::cuda
