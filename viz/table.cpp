#include "viz/table.hpp"

#include <algorithm>

#include "viz/terminal.hpp"

namespace viz {

namespace {

std::string line_of(const std::vector<Column>& columns, const std::vector<int>& widths,
                    const std::vector<std::string>& cells) {
  std::string line = " ";
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const std::string text = printable(cells[i]);
    const int blank = widths[i] - width_of(text);
    line += ' ';
    if (columns[i].right && blank > 0) line += std::string(static_cast<std::size_t>(blank), ' ');
    line += columns[i].right && blank > 0 ? text : fit(text, widths[i]);
    if (i + 1 < columns.size()) line += ' ';
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

}  // namespace

std::string table(const std::vector<Column>& columns,
                  const std::vector<std::vector<std::string>>& rows) {
  std::vector<int> widths;
  std::vector<std::string> headings;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    int width = width_of(columns[i].heading);
    for (const auto& row : rows) width = std::max(width, width_of(printable(row[i])));
    widths.push_back(std::min(width, columns[i].width_max));
    headings.push_back(columns[i].heading);
  }
  std::string out = line_of(columns, widths, headings);
  for (const auto& row : rows) out += line_of(columns, widths, row);
  return out;
}

}  // namespace viz
