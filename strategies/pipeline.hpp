#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// How a pipeline is laid out over its ranks, and schedules as tables of cells.
namespace strategies {

enum class ScheduleKind {
  gpipe,
  one_f_one_b,
  interleaved,
  eager_1f1b,
  zb_h1,
  zb_h2,
  zb_v,
  dualpipe,
  dualpipe_v,
  table,  ///< written by the user
};

/// Names that users write; the first of a kind is the one that is printed.
inline constexpr std::array<std::pair<std::string_view, ScheduleKind>, 11> schedule_names{{
    {"gpipe", ScheduleKind::gpipe},
    {"afab", ScheduleKind::gpipe},
    {"1f1b", ScheduleKind::one_f_one_b},
    {"interleaved", ScheduleKind::interleaved},
    {"eager-1f1b", ScheduleKind::eager_1f1b},
    {"zb-h1", ScheduleKind::zb_h1},
    {"zb-h2", ScheduleKind::zb_h2},
    {"zb-v", ScheduleKind::zb_v},
    {"dualpipe", ScheduleKind::dualpipe},
    {"dualpipe-v", ScheduleKind::dualpipe_v},
    {"table", ScheduleKind::table},
}};
std::string_view name_of(ScheduleKind kind);

/// Which virtual stage each chunk of a rank holds.
enum class PipelineLayout {
  interleaved,    ///< chunk c of rank p holds stage c * S + p (arXiv 2104.04473)
  v_shape,        ///< p, and 2 S - 1 - p: the first rank holds both ends (arXiv 2405.15362)
  bidirectional,  ///< two copies of the model: p, and S - 1 - p of the other copy, through which
                  ///< the second half of the micro-batches goes (DualPipe, arXiv 2412.19437)
};
inline constexpr std::array<std::pair<std::string_view, PipelineLayout>, 3> layout_names{{
    {"interleaved", PipelineLayout::interleaved},
    {"v-shape", PipelineLayout::v_shape},
    {"bidirectional", PipelineLayout::bidirectional},
}};
/// Whether computing goes on while messages travel, unless the plan says otherwise: the plain
/// schedules of Megatron send and wait, the others are made to hide messages.
bool hides_messages(ScheduleKind kind);
PipelineLayout layout_of(ScheduleKind kind);  ///< \pre not a table, which has its own

/// A chunk of a rank.
struct Place {
  int stage = 0;
  int chunk = 0;

  bool operator==(const Place&) const = default;
};

struct PipelineShape {
  PipelineLayout layout = PipelineLayout::interleaved;
  int stages = 1;  ///< ranks
  int chunks = 1;  ///< of each rank; 2 unless interleaved

  int depth() const;  ///< virtual stages that a micro-batch goes through
  int virtual_stage(Place place) const;
  /// Where the micro-batches that are at `place` go next (forward) or go back to (backward);
  /// nothing at the end.
  std::optional<Place> next(Place place, bool forward) const;

  bool operator==(const PipelineShape&) const = default;
};

/// What one cell of a schedule does with a micro-batch.
enum class CellKind : std::uint8_t {
  forward,
  backward,         ///< input and weight gradients together
  backward_input,   ///< only what the stage before waits for
  backward_weight,  ///< the rest, later
};
inline constexpr int cell_kind_count = 4;

struct Cell {
  CellKind kind = CellKind::forward;
  int micro_batch = 0;
  int chunk = 0;
  /// Runs at once with the next cell: the communication of each hides behind the kernels of the
  /// other. \pre one of the two is a forward, the other a backward or backward_input.
  bool overlapped = false;

  bool forward() const { return kind == CellKind::forward; }
  /// Whether weight gradients of the micro-batch are complete after it.
  bool makes_gradients() const {
    return kind == CellKind::backward || kind == CellKind::backward_weight;
  }
  bool needs_parameters() const { return kind != CellKind::backward_weight; }
  /// Whether others wait for what it computes, and it for what others do.
  bool passes_on() const { return kind != CellKind::backward_weight; }

  bool operator==(const Cell&) const = default;
};

/// "F3", "B3", "W3"; with more than one chunk "F3.1".
std::string text_of(const Cell& cell, int chunks);

/// A schedule: what each rank does, in order.
struct ScheduleTable {
  PipelineShape shape;
  int micro_batches = 1;
  std::vector<std::vector<Cell>> stages;
};

/// Why a schedule has no such shape, in words for its user; empty if it has.
std::string shape_problem(ScheduleKind kind, int stages, int chunks, int micro_batches);

}  // namespace strategies
