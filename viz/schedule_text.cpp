#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "sim/schedule/play.hpp"
#include "viz/viz.hpp"

namespace viz {

namespace {

using sim::schedule::Cell;
using sim::schedule::CellKind;
using sim::schedule::ScheduleTable;

/// A row is cut there: a thousand forwards of three digits.
constexpr std::size_t row_max = 4000;

/// Draws a table as it is played with forwards of one column, backwards of two.
class Drawing {
 public:
  explicit Drawing(const ScheduleTable& table)
      : table_(table), played_(sim::schedule::play(table)) {
    for (const std::vector<Cell>& cells : table.stages)
      for (const Cell& cell : cells) column_ = std::max(column_, name(cell).size());
  }

  std::string draw() const {
    std::vector<std::string> rows;
    std::size_t widest = 0;
    for (std::size_t stage = 0; stage < table_.stages.size(); ++stage) {
      rows.push_back(row(stage));
      widest = std::max(widest, rows.back().size());
    }
    std::string text;
    for (std::size_t stage = 0; stage < rows.size(); ++stage) {
      const auto held = sim::schedule::in_flight(table_.stages[stage]);
      const bool cut = rows[stage].size() > row_max;
      text += fmt::format("{:>3} |{:<{}}| {}", stage, rows[stage].substr(0, row_max),
                          std::min(widest, row_max), held.activations);
      if (splits()) text += fmt::format(", {}", held.until_weight);
      text += cut ? " (cut)\n" : "\n";
    }
    return text + legend();
  }

 private:
  bool splits() const {
    return std::any_of(table_.stages.begin(), table_.stages.end(), [](const auto& cells) {
      return std::any_of(cells.begin(), cells.end(),
                         [](const Cell& cell) { return cell.kind == CellKind::backward_weight; });
    });
  }

  /// "F3"; of two chunks the second in small letters, of more each with its number.
  std::string name(const Cell& cell) const {
    std::string text = strategies::text_of(cell, table_.shape.chunks > 2 ? table_.shape.chunks : 1);
    if (table_.shape.chunks == 2 && cell.chunk == 1)
      text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
    return text;
  }

  std::size_t at(double time) const {
    return static_cast<std::size_t>(std::lround(time)) * column_;
  }

  std::string row(std::size_t stage) const {
    const std::vector<Cell>& cells = table_.stages[stage];
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const auto& slot = played_.slots[stage][i];
      text.resize(at(slot.begin), ' ');
      text += name(cells[i]);
      if (cells[i].overlapped) {
        text += '+';
        text += name(cells[++i]);
      }
      const std::size_t end = at(slot.end);
      if (text.size() < end) text.resize(end, cells[i].kind == CellKind::backward ? '-' : ' ');
    }
    return text;
  }

  std::string legend() const {
    double work = 0;  // of the busiest stage
    for (const std::vector<Cell>& cells : table_.stages) {
      double sum = 0;
      for (std::size_t i = 0; i < cells.size(); ++i) {
        sum += cells[i].overlapped ? sim::schedule::CellTimes{}.overlapped
                                   : sim::schedule::CellTimes{}.of(cells[i]);
        if (cells[i].overlapped) ++i;
      }
      work = std::max(work, sum);
    }
    const int chunks = table_.shape.chunks;
    std::string text = "F forward, B backward";
    if (splits()) text += " (one column: of inputs only), W weight gradient";
    if (chunks == 2) text += ", small: chunk 1";
    if (chunks > 2) text += ", after the dot: chunk";
    text += fmt::format("\n{:.0f} columns, of which a stage works in {:.0f}", played_.end(), work);
    text += fmt::format("; none stands still in more than {:.0f} from its first cell to its last",
                        std::max(0.0, played_.longest_stage() - work));
    text += fmt::format("\nat the end of a row: {} in flight, from forward to backward{}\n",
                        chunks > 1 ? "chunks of micro-batches" : "micro-batches",
                        splits() ? ", and to weight gradient" : "");
    return text;
  }

  const ScheduleTable& table_;
  sim::schedule::Played played_;
  std::size_t column_ = 0;  // characters
};

}  // namespace

std::string schedule_text(const ScheduleTable& table) { return Drawing(table).draw(); }

}  // namespace viz
