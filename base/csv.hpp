#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.hpp"

namespace base {

/// One table as text: RFC 4180 (quoted fields may hold commas, doubled quotes and line ends; lines
/// end in LF or CRLF). Empty lines are skipped.
struct Csv {
  struct Row {
    int line = 0;  ///< where the row begins, from 1
    std::vector<std::string> fields;
  };

  std::string file;
  std::vector<std::string> columns;
  std::vector<Row> rows;

  /// Index of a column; nothing when the table has none of that name.
  std::optional<std::size_t> column(std::string_view name) const;
};

/// Reads a table with a header. A quote that is never closed, text after a closing quote, columns
/// of the same name and rows of another length than the header are mistakes; all are told.
Result<Csv> parse_csv(std::string_view text, std::string file);

/// Values of one row by column name; collects what does not read as it should.
class CsvRow {
 public:
  CsvRow(const Csv& table, const Csv::Row& row, Diagnostics& problems)
      : table_(&table), row_(&row), problems_(&problems) {}

  /// Text of a column; empty when the table has no such column.
  std::string_view text(std::string_view column) const;
  /// A finite number, nothing for an empty cell; anything else is a mistake.
  std::optional<double> number(std::string_view column) const;
  /// The same for whole numbers from 0 to a thousand million.
  std::optional<int> whole(std::string_view column) const;

 private:
  const Csv* table_;
  const Csv::Row* row_;
  Diagnostics* problems_;
};

/// One mistake for every column that is not there, with the nearest one that is.
Diagnostics missing_columns(const Csv& table, std::initializer_list<std::string_view> wanted);

}  // namespace base
