#pragma once

#include "base/diagnostic.hpp"
#include "strategies/schedule_file.hpp"

namespace sim::schedule {

/// What keeps the user's own schedule from running, each problem at its cell or row.
base::Diagnostics check_written(const strategies::WrittenSchedule& written);

}  // namespace sim::schedule
