#include "strategies/pipeline.hpp"

#include <fmt/format.h>

#include "base/check.hpp"
#include "base/name_table.hpp"

namespace strategies {

std::string_view name_of(ScheduleKind kind) { return base::name_in(schedule_names, kind); }

bool hides_messages(ScheduleKind kind) {
  return kind != ScheduleKind::gpipe && kind != ScheduleKind::one_f_one_b;
}

PipelineLayout layout_of(ScheduleKind kind) {
  CHECK_INVARIANT(kind != ScheduleKind::table);
  if (kind == ScheduleKind::dualpipe) return PipelineLayout::bidirectional;
  const bool folded = kind == ScheduleKind::zb_v || kind == ScheduleKind::dualpipe_v;
  return folded ? PipelineLayout::v_shape : PipelineLayout::interleaved;
}

int PipelineShape::depth() const {
  return layout == PipelineLayout::bidirectional ? stages : stages * chunks;
}

int PipelineShape::virtual_stage(Place place) const {
  if (layout == PipelineLayout::interleaved || place.chunk == 0)
    return place.chunk * stages + place.stage;
  return depth() - 1 - place.stage;
}

std::optional<Place> PipelineShape::next(Place place, bool forward) const {
  const int to = virtual_stage(place) + (forward ? 1 : -1);
  if (to < 0 || to >= depth()) return std::nullopt;
  switch (layout) {
    case PipelineLayout::interleaved: return Place{to % stages, to / stages};
    case PipelineLayout::v_shape: return to < stages ? Place{to, 0} : Place{depth() - 1 - to, 1};
    case PipelineLayout::bidirectional:
      return Place{place.chunk == 0 ? to : stages - 1 - to, place.chunk};
  }
  return std::nullopt;
}

std::string text_of(const Cell& cell, int chunks) {
  const char letter = cell.forward() ? 'F' : cell.passes_on() ? 'B' : 'W';
  return chunks > 1 ? fmt::format("{}{}.{}", letter, cell.micro_batch, cell.chunk)
                    : fmt::format("{}{}", letter, cell.micro_batch);
}

std::string shape_problem(ScheduleKind kind, int stages, int chunks, int micro_batches) {
  const std::string_view name = name_of(kind);
  switch (kind) {
    case ScheduleKind::interleaved:
      // Without full groups Megatron refuses too: stages would wait for each other in a circle.
      if (chunks > 1 && micro_batches % stages != 0)
        return fmt::format(
            "{} micro-batches cannot be divided by pipeline_parallel {}, as the interleaved "
            "schedule needs",
            micro_batches, stages);
      break;
    case ScheduleKind::dualpipe:
      if (stages % 2 != 0 || micro_batches % 2 != 0)
        return fmt::format(
            "{} stages and {} micro-batches: dualpipe needs even numbers of both, as half of the "
            "micro-batches go the other way",
            stages, micro_batches);
      [[fallthrough]];
    case ScheduleKind::dualpipe_v:
      if (micro_batches < 2 * stages)
        return fmt::format("{} micro-batches are less than two for each of {} stages, as {} needs",
                           micro_batches, stages, name);
      break;
    default: break;
  }
  return {};
}

}  // namespace strategies
