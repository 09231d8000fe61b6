#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "sim/trace/trace.hpp"

namespace sim::trace {

/// Whether a cell says nothing: empty, NaN, None or null, in any case of letters.
bool is_gap(std::string_view cell);

/// Cells of one row; what does not read is added to the problems with its line.
class Cells {
 public:
  Cells(const base::Csv& table, const base::Csv::Row& row, base::Diagnostics& problems);

  std::string_view text(std::string_view column) const;
  /// Nothing for a gap. Not negative.
  std::optional<double> number(std::string_view column) const;
  /// Seconds as they stand, or since 1970 of a date with a time of day ("2020-06-09 18:41:01",
  /// "2023-07-15T02:19:07.5+08:00", "2023/7/15 02:19"; UTC where no zone is told). Nothing for a
  /// gap.
  std::optional<double> time(std::string_view column) const;
  base::SourceRef where() const;

 private:
  const base::Csv* table_;
  const base::Csv::Row* row_;
  base::Diagnostics* problems_;
};

/// What a row says of a job; gaps are nothing.
struct Record {
  std::string name;
  std::optional<double> arrival;
  std::optional<double> start;
  std::optional<double> end;
  std::optional<double> duration;  ///< where the trace has it; goes before start and end
  double gpus = 0;                 ///< parts of a GPU count as one
  base::SourceRef where;
};

/// Makes a Trace of records in any order.
class Collector {
 public:
  void add(Record record) { records_.push_back(std::move(record)); }
  /// Counts something that is not as the file says; told once, with the first place.
  void note(const std::string& what, const base::SourceRef& where);
  /// Of a job without an end the duration goes up to the last time in the trace.
  Trace finish();

 private:
  struct Tally {
    int count = 0;
    base::SourceRef first;
  };

  double last_time() const;

  std::vector<Record> records_;
  std::map<std::string, Tally> tallies_;
};

/// A table of one row for each job: reads every row with `record`.
base::Result<Trace> read_rows(const base::Csv& table,
                              std::initializer_list<std::string_view> columns,
                              Record (*record)(const Cells& cells, Collector& collector));

}  // namespace sim::trace
