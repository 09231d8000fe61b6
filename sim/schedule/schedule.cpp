#include "sim/schedule/schedule.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace sim::schedule {

void pair_up(std::vector<Cell>& cells, std::size_t first) {
  for (std::size_t i = first; i + 1 < cells.size(); i += 2)
    if (cells[i].forward() != cells[i + 1].forward()) cells[i].overlapped = true;
}

ScheduleTable make_table(strategies::ScheduleKind kind, const Shape& shape) {
  const auto found = std::find_if(schedules.begin(), schedules.end(),
                                  [&](const Schedule& one) { return one.kind == kind; });
  CHECK_INVARIANT(found != schedules.end());
  const strategies::PipelineLayout layout = strategies::layout_of(kind);
  const int chunks = layout == strategies::PipelineLayout::interleaved ? shape.virtual_stages : 2;
  CHECK_INVARIANT(
      strategies::shape_problem(kind, shape.stages, chunks, shape.micro_batches).empty());
  ScheduleTable table{{layout, shape.stages, chunks}, shape.micro_batches, {}};
  for (int stage = 0; stage < shape.stages; ++stage)
    table.stages.push_back(found->cells(shape, stage));
  return table;
}

ScheduleTable table_of(const strategies::Plan& plan) {
  if (plan.schedule == strategies::ScheduleKind::table) return plan.written->table;
  return make_table(plan.schedule, {plan.pipeline, plan.shape().chunks, plan.micro_batches(),
                                    plan.overlap.expert});
}

}  // namespace sim::schedule
