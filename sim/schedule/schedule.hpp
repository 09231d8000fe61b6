#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "strategies/plan.hpp"

/// Pipeline schedules as data: the order in which a stage works on its micro-batches. Each is one
/// file and one row here.
namespace sim::schedule {

struct Cell {
  bool forward = true;
  int micro_batch = 0;
  int chunk = 0;  ///< virtual stage of this rank, 0 to virtual_stages - 1

  bool operator==(const Cell&) const = default;
};

struct Shape {
  int stages = 1;
  int virtual_stages = 1;
  int micro_batches = 1;
};

struct Schedule {
  strategies::ScheduleKind kind;
  std::string_view name;
  /// Cells of one stage in order: each (micro_batch, chunk) forward once and backward once.
  std::vector<Cell> (*cells)(const Shape& shape, int stage);
};

std::vector<Cell> gpipe_cells(const Shape& shape, int stage);
std::vector<Cell> one_f_one_b_cells(const Shape& shape, int stage);
std::vector<Cell> interleaved_cells(const Shape& shape, int stage);

inline constexpr std::array schedules{
    Schedule{strategies::ScheduleKind::gpipe, "gpipe", gpipe_cells},
    Schedule{strategies::ScheduleKind::one_f_one_b, "1f1b", one_f_one_b_cells},
    Schedule{strategies::ScheduleKind::interleaved, "interleaved", interleaved_cells},
};

const Schedule& schedule_for(strategies::ScheduleKind kind);

}  // namespace sim::schedule
