#include "base/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

namespace base {

namespace {

// Walks over the text field by field; knows the line it is on.
class Scanner {
 public:
  Scanner(std::string_view text, const std::string& file, Diagnostics& problems)
      : text_(text), file_(file), problems_(problems) {
    if (text_.starts_with("\xEF\xBB\xBF")) at_ = 3;
  }

  bool done() const { return at_ >= text_.size(); }
  int line() const { return line_; }

  std::vector<std::string> record() {
    std::vector<std::string> fields;
    while (true) {
      fields.push_back(peek() == '"' ? quoted() : plain());
      if (peek() != ',') break;
      ++at_;
    }
    end_line();
    return fields;
  }

 private:
  char peek() const { return done() ? '\n' : text_[at_]; }
  bool at_line_end() const {
    return peek() == '\n' ||
           (peek() == '\r' && (at_ + 1 == text_.size() || text_[at_ + 1] == '\n'));
  }

  void end_line() {
    if (peek() == '\r') ++at_;
    if (!done()) ++at_;
    ++line_;
  }

  std::string plain() {
    const std::size_t begin = at_;
    while (peek() != ',' && !at_line_end()) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  std::string quoted() {
    const int begin_line = line_;
    std::string value;
    ++at_;
    while (!done()) {
      const char c = text_[at_++];
      if (c == '\n') ++line_;
      if (c != '"') {
        value += c;
      } else if (peek() == '"' && !done()) {
        value += text_[at_++];
      } else {
        skip_to_separator();
        return value;
      }
    }
    problems_.push_back({{file_, begin_line, 1}, "a quote is never closed", ""});
    return value;
  }

  void skip_to_separator() {
    if (peek() == ',' || at_line_end()) return;
    problems_.push_back({{file_, line_, 1},
                         "text after a closing quote",
                         "write a quote inside a quoted field twice"});
    while (peek() != ',' && !at_line_end()) ++at_;
  }

  std::string_view text_;
  const std::string& file_;
  Diagnostics& problems_;
  std::size_t at_ = 0;
  int line_ = 1;
};

bool is_blank(const std::vector<std::string>& fields) {
  return fields.size() == 1 && fields[0].empty();
}

void check_header(const Csv& table, Diagnostics& problems) {
  for (std::size_t i = 0; i < table.columns.size(); ++i)
    if (std::find(table.columns.begin(), table.columns.begin() + static_cast<std::ptrdiff_t>(i),
                  table.columns[i]) != table.columns.begin() + static_cast<std::ptrdiff_t>(i))
      problems.push_back(
          {{table.file, 1, 1}, fmt::format("two columns are named '{}'", table.columns[i]), ""});
}

}  // namespace

std::optional<std::size_t> Csv::column(std::string_view name) const {
  const auto found = std::find(columns.begin(), columns.end(), name);
  if (found == columns.end()) return std::nullopt;
  return static_cast<std::size_t>(found - columns.begin());
}

Result<Csv> parse_csv(std::string_view text, std::string file) {
  Csv table;
  table.file = std::move(file);
  Diagnostics problems;
  Scanner scanner(text, table.file, problems);
  while (!scanner.done()) {
    const int line = scanner.line();
    std::vector<std::string> fields = scanner.record();
    if (is_blank(fields)) continue;
    if (table.columns.empty()) {
      table.columns = std::move(fields);
      check_header(table, problems);
    } else if (fields.size() != table.columns.size()) {
      problems.push_back({{table.file, line, 1},
                          fmt::format("the row has {} fields, but the header has {}", fields.size(),
                                      table.columns.size()),
                          ""});
    } else {
      table.rows.push_back({line, std::move(fields)});
    }
  }
  if (table.columns.empty() && problems.empty())
    problems.push_back({{table.file}, "the table is empty", "the first line names the columns"});
  if (!problems.empty()) return tl::unexpected(problems);
  return table;
}

std::string_view CsvRow::text(std::string_view column) const {
  const std::optional<std::size_t> index = table_->column(column);
  return index ? std::string_view(row_->fields[*index]) : std::string_view();
}

std::optional<double> CsvRow::number(std::string_view column) const {
  const std::string_view word = text(column);
  if (word.empty()) return std::nullopt;
  double value = 0;
  const auto [end, status] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (status == std::errc() && end == word.data() + word.size() && std::isfinite(value))
    return value;
  problems_->push_back(
      {{table_->file, row_->line, 1}, fmt::format("'{}' is not a number: '{}'", column, word), ""});
  return std::nullopt;
}

std::optional<int> CsvRow::whole(std::string_view column) const {
  const std::optional<double> value = number(column);
  if (!value) return std::nullopt;
  if (*value == std::floor(*value) && *value >= 0 && *value <= 1e9) return static_cast<int>(*value);
  problems_->push_back({{table_->file, row_->line, 1},
                        fmt::format("'{}' is not a whole number: '{}'", column, text(column)),
                        ""});
  return std::nullopt;
}

Diagnostics missing_columns(const Csv& table, std::initializer_list<std::string_view> wanted) {
  Diagnostics problems;
  const std::vector<std::string_view> known(table.columns.begin(), table.columns.end());
  for (const std::string_view name : wanted)
    if (!table.column(name))
      problems.push_back({{table.file, 1, 1},
                          fmt::format("the column '{}' is missing", name),
                          suggest(name, known)});
  return problems;
}

}  // namespace base
