#include "sim/schedule/written.hpp"

#include "sim/schedule/play.hpp"

namespace sim::schedule {

base::Diagnostics check_written(const strategies::WrittenSchedule& written) {
  base::Diagnostics diagnostics;
  for (Problem& problem : check(written.table)) {
    const auto stage = static_cast<std::size_t>(problem.stage);
    diagnostics.push_back({problem.cell < 0
                               ? written.rows[stage]
                               : written.cells[stage][static_cast<std::size_t>(problem.cell)],
                           std::move(problem.message)});
  }
  return diagnostics;
}

}  // namespace sim::schedule
