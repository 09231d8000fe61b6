#include "strategies/schedule_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "base/map_reader.hpp"

namespace strategies {

namespace {

constexpr std::string_view blanks = " \t\r\n";
constexpr int number_max = 999'999;
/// Cells that a full table would have: what is held of each while a schedule is checked.
constexpr std::int64_t cells_max = 4'000'000;

/// Reads the cells of one row, left to right.
class RowReader {
 public:
  RowReader(const base::Node& row, base::SourceRef where, base::Diagnostics& problems)
      : text_(row.text),
        verbatim_(row.verbatim && row.text.find('\n') == std::string::npos),
        where_(std::move(where)),
        problems_(problems) {
    if (verbatim_ && row.quoted) ++where_.column;
  }

  void read(std::vector<Cell>& cells, std::vector<base::SourceRef>& places) {
    bool joined = false;  // by a + before the cell
    while (skip_blanks()) {
      base::SourceRef place = where_;
      if (verbatim_) place.column += static_cast<int>(next_);
      const std::size_t end = std::min(text_.find_first_of(" \t\r\n+", next_), text_.size());
      const std::string_view word = text_.substr(next_, end - next_);
      const std::optional<Cell> cell = parse(word);
      if (!cell) {
        problems_.push_back({place, fmt::format("'{}' is no cell of a schedule", word),
                             "as in F3, B3, W3 or, with chunks, F3.1; + between cells that run at "
                             "once"});
        return;
      }
      next_ = end;
      cells.push_back(*cell);
      places.push_back(place);
      joined = next_ < text_.size() && text_[next_] == '+';
      cells.back().overlapped = joined;
      if (joined) ++next_;
    }
    if (joined) problems_.push_back({places.back(), "a + with no cell after it"});
    split_backwards(cells);
  }

 private:
  bool skip_blanks() {
    next_ = std::min(text_.find_first_not_of(blanks, next_), text_.size());
    return next_ < text_.size();
  }

  static bool number(std::string_view text, int& value) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    return error == std::errc{} && end == text.data() + text.size() && value >= 0 &&
           value <= number_max;
  }

  static std::optional<Cell> parse(std::string_view word) {
    Cell cell;
    if (word.empty()) return std::nullopt;
    switch (word.front()) {
      case 'F': cell.kind = CellKind::forward; break;
      case 'B': cell.kind = CellKind::backward; break;
      case 'W': cell.kind = CellKind::backward_weight; break;
      default: return std::nullopt;
    }
    word.remove_prefix(1);
    const std::size_t dot = word.find('.');
    if (!number(word.substr(0, dot), cell.micro_batch)) return std::nullopt;
    if (dot != std::string_view::npos && !number(word.substr(dot + 1), cell.chunk))
      return std::nullopt;
    return cell;
  }

  /// A backward whose weight gradient has a cell of its own is the input gradient.
  static void split_backwards(std::vector<Cell>& cells) {
    std::set<std::pair<int, int>> weights;
    for (const Cell& cell : cells)
      if (cell.kind == CellKind::backward_weight) weights.emplace(cell.micro_batch, cell.chunk);
    for (Cell& cell : cells)
      if (cell.kind == CellKind::backward && weights.count({cell.micro_batch, cell.chunk}) > 0)
        cell.kind = CellKind::backward_input;
  }

  std::string_view text_;
  bool verbatim_;  ///< else the row goes over several lines: all of its cells are told at its begin
  std::size_t next_ = 0;
  base::SourceRef where_;
  base::Diagnostics& problems_;
};

}  // namespace

base::Result<WrittenSchedule> read_schedule(const base::Document& document) {
  base::Diagnostics problems;
  base::MapReader root(document, document.root, "", problems);
  WrittenSchedule written;
  written.where = document.where(document.root);
  PipelineShape& shape = written.table.shape;
  root.read_choice("layout", shape.layout, layout_names);
  const base::Node* stages = root.find("stages");
  if (stages == nullptr || stages->kind != base::Node::Kind::sequence || stages->items.empty())
    root.error("stages", "'stages' must be a list of rows of cells, one for each stage",
               "as in stages: [\"F0 B0\", \"F0 B0\"]");
  else
    for (const base::Node& row : stages->items) {
      written.rows.push_back(document.where(row));
      auto& cells = written.table.stages.emplace_back();
      if (row.kind != base::Node::Kind::scalar)
        problems.push_back({written.rows.back(), "a row of cells must be a text"});
      else
        RowReader(row, written.rows.back(), problems).read(cells, written.cells.emplace_back());
    }
  root.finish();
  if (base::has_errors(problems)) return tl::unexpected(std::move(problems));
  shape.stages = static_cast<int>(written.table.stages.size());
  shape.chunks = shape.layout == PipelineLayout::interleaved ? 1 : 2;
  int last = 0;
  for (const std::vector<Cell>& cells : written.table.stages)
    for (const Cell& cell : cells) {
      last = std::max(last, cell.micro_batch);
      if (shape.layout == PipelineLayout::interleaved)
        shape.chunks = std::max(shape.chunks, cell.chunk + 1);
    }
  written.table.micro_batches = last + 1;
  if (std::int64_t{shape.stages} * shape.chunks > cells_max / written.table.micro_batches)
    return tl::unexpected(base::Diagnostics{
        {written.where,
         fmt::format("{} stages of {} chunks and {} micro-batches are more than {} cells",
                     shape.stages, shape.chunks, written.table.micro_batches, cells_max)}});
  return written;
}

}  // namespace strategies
