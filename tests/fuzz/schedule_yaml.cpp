#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "sim/schedule/play.hpp"
#include "sim/schedule/written.hpp"
#include "strategies/schedule_file.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace {

using strategies::Cell;
using strategies::ScheduleTable;

/// Each mistake stands at a line of the file, unless that is empty.
void check_told(const base::Diagnostics& problems, std::string_view text,
                const base::Document& document) {
  fuzz::check_refusal(problems);
  const auto lines = 1 + std::count(text.begin(), text.end(), '\n');
  for (const base::Diagnostic& one : problems) {
    CHECK_INVARIANT(one.where.file == "f.yaml" && one.where.line <= lines);
    CHECK_INVARIANT(one.where.column >= 1 || document.root.kind == base::Node::Kind::null);
  }
}

/// The schedule as its user would write it.
std::string written_out(const ScheduleTable& table) {
  std::string text = "layout: ";
  text += std::find_if(strategies::layout_names.begin(), strategies::layout_names.end(),
                       [&](const auto& entry) { return entry.second == table.shape.layout; })
              ->first;
  text += "\nstages:\n";
  for (const std::vector<Cell>& cells : table.stages) {
    text += "- ";
    for (const Cell& cell : cells)
      text += strategies::text_of(cell, table.shape.chunks) + (cell.overlapped ? "+" : " ");
    text += "\n";
  }
  return text;
}

/// Cells of a stage run in order, one at a time but for pairs, and each takes time.
void check_played(const ScheduleTable& table) {
  const sim::schedule::Played played = sim::schedule::play(table);
  CHECK_INVARIANT(!played.deadlock && played.slots.size() == table.stages.size());
  for (std::size_t stage = 0; stage < table.stages.size(); ++stage) {
    const auto& slots = played.slots[stage];
    CHECK_INVARIANT(slots.size() == table.stages[stage].size());
    for (std::size_t i = 0; i < slots.size(); ++i) {
      CHECK_INVARIANT(slots[i].begin < slots[i].end && slots[i].end <= played.end());
      if (i == 0) continue;
      CHECK_INVARIANT(table.stages[stage][i - 1].overlapped ? slots[i].begin == slots[i - 1].begin
                                                            : slots[i].begin >= slots[i - 1].end);
    }
    const sim::schedule::InFlight held = sim::schedule::in_flight(table.stages[stage]);
    CHECK_INVARIANT(held.activations >= 1 && held.until_weight >= held.activations);
  }
}

}  // namespace

/// Whatever a file says, it is refused at its places, or it plays to its end and is read back from
/// its own cells.
void fuzz_one(std::string_view text) {
  const auto document = base::parse_yaml(text, "f.yaml");
  if (!document) return fuzz::check_refusal(document.error());
  const auto written = strategies::read_schedule(*document);
  if (!written) return check_told(written.error(), text, *document);
  const base::Diagnostics problems = sim::schedule::check_written(*written);
  if (!problems.empty()) return check_told(problems, text, *document);
  const ScheduleTable& table = written->table;
  check_played(table);
  const auto copy = base::parse_yaml(written_out(table), "f.yaml");
  CHECK_INVARIANT(copy.has_value());
  const auto again = strategies::read_schedule(*copy);
  CHECK_INVARIANT(again && again->table.shape == table.shape &&
                  again->table.stages == table.stages);
}
