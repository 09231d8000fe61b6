#pragma once

#include <array>
#include <cstddef>
#include <vector>

#include "strategies/pipeline.hpp"
#include "strategies/plan.hpp"

/// Pipeline schedules as data: the order in which a stage works on its micro-batches. Each is one
/// file and one row here.
namespace sim::schedule {

using strategies::Cell;
using strategies::CellKind;
using strategies::ScheduleTable;

struct Shape {
  int stages = 1;
  int virtual_stages = 1;  ///< chunks of a rank that the plan asks for (interleaved)
  int micro_batches = 1;
  bool paired = false;  ///< forwards run at once with backwards of other micro-batches
};

struct Schedule {
  strategies::ScheduleKind kind;
  /// Cells of one stage in order. \pre strategies::shape_problem finds none.
  std::vector<Cell> (*cells)(const Shape& shape, int stage);
};

std::vector<Cell> gpipe_cells(const Shape& shape, int stage);
std::vector<Cell> one_f_one_b_cells(const Shape& shape, int stage);
std::vector<Cell> interleaved_cells(const Shape& shape, int stage);
std::vector<Cell> eager_1f1b_cells(const Shape& shape, int stage);
std::vector<Cell> zb_h1_cells(const Shape& shape, int stage);
std::vector<Cell> zb_h2_cells(const Shape& shape, int stage);
std::vector<Cell> zb_v_cells(const Shape& shape, int stage);
std::vector<Cell> dualpipe_cells(const Shape& shape, int stage);
std::vector<Cell> dualpipe_v_cells(const Shape& shape, int stage);

inline constexpr std::array schedules{
    Schedule{strategies::ScheduleKind::gpipe, gpipe_cells},
    Schedule{strategies::ScheduleKind::one_f_one_b, one_f_one_b_cells},
    Schedule{strategies::ScheduleKind::interleaved, interleaved_cells},
    Schedule{strategies::ScheduleKind::eager_1f1b, eager_1f1b_cells},
    Schedule{strategies::ScheduleKind::zb_h1, zb_h1_cells},
    Schedule{strategies::ScheduleKind::zb_h2, zb_h2_cells},
    Schedule{strategies::ScheduleKind::zb_v, zb_v_cells},
    Schedule{strategies::ScheduleKind::dualpipe, dualpipe_cells},
    Schedule{strategies::ScheduleKind::dualpipe_v, dualpipe_v_cells},
};

/// From `first` on, forwards and backwards that take turns run at once, two by two.
void pair_up(std::vector<Cell>& cells, std::size_t first);

/// The table of a schedule of ours. \pre strategies::shape_problem finds none.
ScheduleTable make_table(strategies::ScheduleKind kind, const Shape& shape);

/// The table of a plan, the user's own one too. \pre check_plan found no error.
ScheduleTable table_of(const strategies::Plan& plan);

}  // namespace sim::schedule
