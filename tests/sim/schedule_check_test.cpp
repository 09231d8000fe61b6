// Schedules that users write: what is read, and what each mistake is told at its place.

#include <fmt/format.h>

#include <algorithm>

#include "base/document.hpp"
#include "sim/schedule/play.hpp"
#include "sim/schedule/written.hpp"
#include "tests/support/catch.hpp"

namespace sim::schedule {
namespace {

/// All that is said about a schedule, a line each.
std::string told(const std::string& text) {
  const auto document = base::parse_yaml(text, "t.yaml");
  REQUIRE(document);
  const auto written = strategies::read_schedule(*document);
  std::string all;
  for (const base::Diagnostic& one : written ? check_written(*written) : written.error())
    all += one.format() + "\n";
  return all;
}

TEST_CASE("a table of cells is read with layout, chunks and parts of backwards") {
  const auto document = base::parse_yaml(
      "layout: v-shape\nstages:\n- F0.0 F0.1 B0.1 W0.1 B0\n- F0 F0.1+B0.1 B0.0\n", "t.yaml");
  REQUIRE(document);
  const auto written = strategies::read_schedule(*document);
  REQUIRE(written);
  const strategies::ScheduleTable& table = written->table;
  CHECK(table.shape == strategies::PipelineShape{strategies::PipelineLayout::v_shape, 2, 2});
  CHECK(table.micro_batches == 1);
  CHECK(table.stages[0] == std::vector<Cell>{{CellKind::forward, 0, 0},
                                             {CellKind::forward, 0, 1},
                                             {CellKind::backward_input, 0, 1},
                                             {CellKind::backward_weight, 0, 1},
                                             {CellKind::backward, 0, 0}});
  CHECK(table.stages[1][1].overlapped);
  CHECK_FALSE(table.stages[1][2].overlapped);
  CHECK(written->cells[0][2].line == 3);
  CHECK(written->cells[0][2].column == 3 + 10);
}

TEST_CASE("a schedule that can run is told nothing") {
  CHECK(told("stages: [F0 F1 B0 B1, F0 B0 F1 B1]\n") == "");
  CHECK(told("stages: [F0 F1 B0 W0 B1 W1, F0 B0 F1 B1 W0 W1]\n") == "");
  CHECK(told("layout: bidirectional\nstages: [F0.0 F1.1 B1.1 B0.0, F1.1 F0.0 B0.0 B1.1]\n") == "");
}

TEST_CASE("a circle of stages that wait is named by its first cell") {
  // Stage 1 wants the backward of 1 first, which its own later forward has to make.
  CHECK(told("stages:\n- F0 F1 B0 B1\n- F0 B1 F1 B0\n") ==
        "t.yaml:3:6: error: stage 1, cell 1 'B1' waits for 'F1', which comes later on the same "
        "stage\n");
  CHECK(told("stages:\n- F0 B0 F1 B1\n- F0 F1 B0 B1\n") ==
        "t.yaml:2:6: error: stage 0, cell 1 'B0' waits for 'B0' of stage 1, where 'F1' waits for "
        "'F1' of stage 0: a circle\n");
  // Two cells at once, of which one needs the other.
  CHECK(told("stages: [F0+B0]\n") ==
        "t.yaml:1:13: error: stage 0, cell 1 'B0' waits for 'F0', which comes later on the same "
        "stage\n");
}

TEST_CASE("cells that lack, come twice or lie outside are told at their place") {
  CHECK(told("stages: [F0 F1 B0, F0 F1 B0 B1]\n") == "t.yaml:1:10: error: stage 0 lacks 'B1'\n");
  CHECK(told("stages: [F0 B0 B0]\n") ==
        "t.yaml:1:16: error: stage 0, cell 2 'B0' comes a second time\n");
  CHECK(told("stages: ['F0 W0']\n") == "t.yaml:1:10: error: stage 0 lacks 'B0'\n");
  CHECK(told("layout: v-shape\nstages: [F0.0 F0.2 B0.0]\n") ==
        "t.yaml:2:15: error: stage 0, cell 1 'F0.2': a rank has chunks 0 to 1\n"
        "t.yaml:2:10: error: stage 0 lacks 'F0.1'\n"
        "t.yaml:2:10: error: stage 0 lacks 'B0.1'\n");
  CHECK(told("layout: bidirectional\nstages: [F0.1 F1.1 B0.0 B1.1, F0.0 F1.1 B0.0 B1.1]\n") ==
        "t.yaml:2:10: error: stage 0, cell 0 'F0.1': the first half of the micro-batches goes "
        "through chunk 0, the second through chunk 1\n"
        "t.yaml:2:10: error: stage 0 lacks 'F0.0'\n");
  CHECK(told("stages: [F0+F1 B0 B1]\n") ==
        "t.yaml:1:10: error: stage 0, cell 0 'F0': only a forward and a backward can run at "
        "once\n");
}

TEST_CASE("words that are no cells are told at their place") {
  const std::string hint =
      " (as in F3, B3, W3 or, with chunks, F3.1; + between cells that run at once)\n";
  CHECK(told("stages:\n- F0 X1\n- F0 B\n") ==
        "t.yaml:2:6: error: 'X1' is no cell of a schedule" + hint +
            "t.yaml:3:6: error: 'B' is no cell of a schedule" + hint);
  CHECK(told("stages: ['F0 B0 +']\n") == "t.yaml:1:17: error: '' is no cell of a schedule" + hint);
  CHECK(told("stages: [F0 B0+]\n") == "t.yaml:1:13: error: a + with no cell after it\n");
  CHECK(told("stages: [F0.-1]\n") == "t.yaml:1:10: error: 'F0.-1' is no cell of a schedule" + hint);
  CHECK(told("stages: 3\n") ==
        "t.yaml:1:9: error: 'stages' must be a list of rows of cells, one for each stage (as in "
        "stages: [\"F0 B0\", \"F0 B0\"])\n");
  CHECK(told("stages: [[F0]]\n") == "t.yaml:1:10: error: a row of cells must be a text\n");
  CHECK(told("stages: [F999999 B999999, F0, F0, F0, F0]\n") ==
        "t.yaml:1:1: error: 5 stages of 1 chunks and 1000000 micro-batches are more than 4000000 "
        "cells\n");
}

TEST_CASE("cells of a row over several lines are told where it begins") {
  const std::string hint =
      " (as in F3, B3, W3 or, with chunks, F3.1; + between cells that run at once)\n";
  const std::string mistake = "error: 'X1' is no cell of a schedule" + hint;
  CHECK(told("stages:\n- F0 F1 B0\n  X1\n") == "t.yaml:2:3: " + mistake);
  CHECK(told("stages:\n- 'F0 F1 B0\n  X1'\n") == "t.yaml:2:3: " + mistake);
  CHECK(told("stages: ['F0 B0', \"F0\\x20X1\"]\n") == "t.yaml:1:19: " + mistake);
  // The words of an alias stand elsewhere.
  CHECK(told("stages:\n- &row F0 B0 X1\n- *row\n") ==
        "t.yaml:2:3: " + mistake + "t.yaml:3:3: " + mistake);
}

TEST_CASE("of very many cells that lack the first are named") {
  // 500,000 forwards and backwards, of which the file has one.
  const std::string all = told("stages: [F499999]\n");
  CHECK(std::count(all.begin(), all.end(), '\n') == 21);
  CHECK_THAT(all, Catch::StartsWith("t.yaml:1:10: error: stage 0 lacks 'F0'\n"));
  CHECK_THAT(all, Catch::EndsWith("t.yaml:1:10: error: stage 0 lacks 999979 cells more\n"));
}

TEST_CASE("a table can be any of our schedules, written down") {
  // What check says of our own tables it says of the same cells as text.
  for (const auto& [name, kind] : strategies::schedule_names) {
    if (kind == strategies::ScheduleKind::table) continue;
    const Shape shape{4, kind == strategies::ScheduleKind::interleaved ? 2 : 1, 8};
    const ScheduleTable table = make_table(kind, shape);
    std::string text = "layout: ";
    for (const auto& [word, layout] : strategies::layout_names)
      if (layout == table.shape.layout) text += word;
    text += "\nstages:\n";
    for (const std::vector<Cell>& cells : table.stages) {
      text += "-";
      for (const Cell& cell : cells)
        text +=
            fmt::format("{}{}{}", text.back() == '+' ? "" : " ",
                        strategies::text_of(cell, table.shape.chunks), cell.overlapped ? "+" : "");
      text += "\n";
    }
    INFO(text);
    const auto document = base::parse_yaml(text, "t.yaml");
    REQUIRE(document);
    const auto written = strategies::read_schedule(*document);
    REQUIRE(written);
    CHECK(written->table.stages == table.stages);
    CHECK(written->table.shape == table.shape);
    CHECK(check_written(*written).empty());
  }
}

}  // namespace
}  // namespace sim::schedule
