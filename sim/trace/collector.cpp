#include "sim/trace/collector.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

namespace sim::trace {

namespace {

constexpr double gpus_max = 1 << 20;
/// Seconds since 1970 of the year 9999, and more than any trace is long.
constexpr double time_max = 2.6e11;

std::optional<double> parse_number(std::string_view word) {
  double value = 0;
  const auto [end, status] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (status != std::errc() || end != word.data() + word.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

/// Takes parts off the front of a text.
class Words {
 public:
  explicit Words(std::string_view text) : text_(text) {}

  bool take(char c) {
    if (text_.empty() || text_.front() != c) return false;
    text_.remove_prefix(1);
    return true;
  }
  /// Up to `digits_max` digits, at most `most`.
  std::optional<int> whole(std::size_t digits_max, int most) {
    std::size_t digits = 0;
    while (digits < std::min(text_.size(), digits_max) &&
           std::isdigit(static_cast<unsigned char>(text_[digits])) != 0)
      ++digits;
    int value = 0;
    const auto [end, status] = std::from_chars(text_.data(), text_.data() + digits, value);
    if (digits == 0 || status != std::errc() || value > most) return std::nullopt;
    text_.remove_prefix(digits);
    return value;
  }
  /// ".25" as 0.25; 0 when there is none.
  double fraction() {
    if (!take('.')) return 0;
    double value = 0;
    for (double digit = 0.1; !text_.empty() && text_.front() >= '0' && text_.front() <= '9';
         digit /= 10) {
      value += digit * (text_.front() - '0');
      text_.remove_prefix(1);
    }
    return value;
  }
  bool done() const { return text_.empty(); }

 private:
  std::string_view text_;
};

/// "+08:00", "+0800", "-05", "Z" or nothing: seconds east of UTC.
std::optional<int> parse_zone(Words& words) {
  if (words.done() || words.take('Z')) return 0;
  const bool east = words.take('+');
  if (!east && !words.take('-')) return std::nullopt;
  const auto hours = words.whole(2, 14);
  if (!hours) return std::nullopt;
  words.take(':');
  const auto minutes = words.done() ? std::optional(0) : words.whole(2, 59);
  if (!minutes) return std::nullopt;
  const int seconds = *hours * 3600 + *minutes * 60;
  return east ? seconds : -seconds;
}

std::optional<double> parse_date(std::string_view text) {
  Words words(text);
  const auto year = words.whole(4, 9999);
  const char mark = words.take('-') ? '-' : '/';
  if (!year || *year < 1970 || (mark == '/' && !words.take('/'))) return std::nullopt;
  const auto month = words.whole(2, 12);
  if (!month || !words.take(mark)) return std::nullopt;
  const auto day = words.whole(2, 31);
  if (!day) return std::nullopt;
  namespace chrono = std::chrono;
  const chrono::year_month_day date{chrono::year(*year),
                                    chrono::month(static_cast<unsigned>(*month)),
                                    chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  double seconds = 86400.0 * static_cast<double>(chrono::sys_days(date).time_since_epoch().count());
  if (words.done()) return seconds;
  if (!words.take(' ') && !words.take('T')) return std::nullopt;
  const auto hour = words.whole(2, 23);
  if (!hour || !words.take(':')) return std::nullopt;
  const auto minute = words.whole(2, 59);
  if (!minute) return std::nullopt;
  seconds += *hour * 3600 + *minute * 60;
  if (words.take(':')) {
    const auto second = words.whole(2, 60);
    if (!second) return std::nullopt;
    seconds += *second + words.fraction();
  }
  const auto zone = parse_zone(words);
  if (!zone || !words.done()) return std::nullopt;
  return seconds - *zone;
}

}  // namespace

bool is_gap(std::string_view cell) {
  std::string word;
  for (const char c : cell.substr(0, 8))
    word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  constexpr std::array<std::string_view, 6> gaps{"", "nan", "none", "null", "nat", "n/a"};
  return std::find(gaps.begin(), gaps.end(), word) != gaps.end();
}

Cells::Cells(const base::Csv& table, const base::Csv::Row& row, base::Diagnostics& problems)
    : table_(&table), row_(&row), problems_(&problems) {}

std::string_view Cells::text(std::string_view column) const {
  const auto index = table_->column(column);
  return index ? std::string_view(row_->fields[*index]) : std::string_view();
}

base::SourceRef Cells::where() const { return {table_->file, row_->line, 1}; }

std::optional<double> Cells::number(std::string_view column) const {
  const std::string_view word = text(column);
  if (is_gap(word)) return std::nullopt;
  const auto value = parse_number(word);
  if (value && *value >= 0 && *value <= time_max) return value;
  problems_->push_back(
      {where(), fmt::format("'{}' is no number from 0 on: '{}'", column, word), ""});
  return std::nullopt;
}

std::optional<double> Cells::time(std::string_view column) const {
  const std::string_view word = text(column);
  if (is_gap(word)) return std::nullopt;
  auto value = parse_number(word);
  if (!value) value = parse_date(word);
  if (value && *value >= 0 && *value <= time_max) return value;
  problems_->push_back({where(), fmt::format("'{}' is no time: '{}'", column, word),
                        "seconds, or a date like 2020-06-09 18:41:01"});
  return std::nullopt;
}

void Collector::note(const std::string& what, const base::SourceRef& where) {
  Tally& tally = tallies_[what];
  if (tally.count++ == 0) tally.first = where;
}

double Collector::last_time() const {
  double last = 0;
  for (const Record& record : records_)
    for (const std::optional<double>& time : {record.arrival, record.start, record.end})
      last = std::max(last, time.value_or(0));
  return last;
}

Trace Collector::finish() {
  const double last = last_time();
  Trace trace;
  double first = std::numeric_limits<double>::infinity();
  for (Record& record : records_) {
    const std::optional<double> arrival = record.arrival ? record.arrival : record.start;
    std::optional<double> duration = record.duration;
    if (record.gpus <= 0) {
      note("jobs that ask for no GPU are left out", record.where);
      continue;
    }
    if (!arrival) {
      note("jobs without a time of arrival are left out", record.where);
      continue;
    }
    if (record.gpus > gpus_max) {
      note("jobs that ask for more than a million GPUs are left out", record.where);
      continue;
    }
    if (!duration && !record.start) {
      note("jobs that never began are left out: nobody knows how long they would have run",
           record.where);
      continue;
    }
    if (!duration && !record.end)
      note("jobs ran on at the end of the trace, up to which they are played", record.where);
    if (!duration) duration = record.end.value_or(last) - *record.start;
    if (*duration <= 0) {
      note("jobs that ended when or before they began are left out", record.where);
      continue;
    }
    if (record.gpus != std::ceil(record.gpus))
      note("jobs that ask for part of a GPU get a whole one", record.where);
    first = std::min(first, *arrival);
    trace.jobs.push_back({std::move(record.name), *arrival, *duration,
                          static_cast<int>(std::ceil(record.gpus)), std::move(record.where)});
  }
  for (Job& job : trace.jobs) job.arrival -= first;
  std::stable_sort(trace.jobs.begin(), trace.jobs.end(),
                   [](const Job& a, const Job& b) { return a.arrival < b.arrival; });
  for (auto& [what, tally] : tallies_)
    trace.notes.push_back({std::move(tally.first), fmt::format("{} {}", tally.count, what),
                           "the first of them stands here", base::Severity::note});
  return trace;
}

base::Result<Trace> read_rows(const base::Csv& table,
                              std::initializer_list<std::string_view> columns,
                              Record (*record)(const Cells& cells, Collector& collector)) {
  base::Diagnostics problems = base::missing_columns(table, columns);
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  Collector collector;
  for (const base::Csv::Row& row : table.rows) {
    const Cells cells(table, row, problems);
    collector.add(record(cells, collector));
  }
  if (!problems.empty()) return tl::unexpected(std::move(problems));
  return collector.finish();
}

}  // namespace sim::trace
