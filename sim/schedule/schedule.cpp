#include "sim/schedule/schedule.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace sim::schedule {

const Schedule& schedule_for(strategies::ScheduleKind kind) {
  const auto found = std::find_if(schedules.begin(), schedules.end(),
                                  [&](const Schedule& s) { return s.kind == kind; });
  CHECK_INVARIANT(found != schedules.end());
  return *found;
}

}  // namespace sim::schedule
