#include "calibrate/import/torchcomms.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "calibrate/harness/sweep.hpp"
#include "calibrate/import/text_lines.hpp"

namespace calibrate {

namespace {

using base::Collective;

constexpr std::size_t columns = 7;

/// Sizes that a table can have; beyond, products of them would not fit.
constexpr std::int64_t size_max = 1LL << 50;
constexpr std::int64_t count_max = 1'000'000'000;

bool is_size(std::string_view word) { return word == "Size(B)" || word == "SendMsgSize(B)"; }

/// The operation of "=== Synchronous AllGather Performance ===".
std::optional<Collective> operation_of_title(const std::vector<Field>& fields) {
  std::string joined;
  for (const Field& field : fields) {
    if (const auto op = collective_of(field.text)) return op;
    if (field.text == "Performance") return collective_of(joined);
    const bool title =
        field.text == "===" || field.text == "Synchronous" || field.text == "Asynchronous";
    if (!title) joined += field.text;  // "All Gather Single"
  }
  return std::nullopt;
}

class Reader {
 public:
  Reader(std::string_view text, const std::string& file, const ImportOptions& options)
      : text_(text), file_(file), options_(options) {}

  ImportResult read() {
    for_each_line(text_, [this](std::string_view line, int number) {
      number_ = number;
      const std::vector<Field> fields = fields_of(line);
      if (!fields.empty()) take(fields);
    });
    if (problems_.empty() && records_.empty())
      problems_.push_back({{file_, 0, 0},
                           "it has no row of torchcomms",
                           "rows follow a line with Size(B) or SendMsgSize(B)"});
    if (problems_.empty()) problems_ = complete_all(records_, options_, file_);
    if (!problems_.empty()) return tl::unexpected(problems_);
    RunRecords run;
    run.run.id = import_id(text_, options_, 0);
    run.run.tool = "torchcomms";
    run.run.source = file_;
    run.run.software = {{records_.front().library, records_.front().library_version}};
    run.collectives = std::move(records_);
    Imported out;
    out.runs.push_back(std::move(run));
    if (options_.dtype.empty())
      out.notes.push_back(import_note(
          file_, "the type of elements is not in these tables: taken as float", "--dtype TYPE"));
    return out;
  }

 private:
  void error(int column, std::string message, std::string hint = {}) {
    problems_.push_back({{file_, number_, column}, std::move(message), std::move(hint)});
  }

  void take(const std::vector<Field>& fields) {
    if (is_size(fields.front().text)) {
      in_table_ = true;
      if (!operation())
        error(0, "the file does not say which operation it measures", "give it: --operation NAME");
    } else if (in_table_ && to_whole(fields.front().text)) {
      take_row(fields);
    } else if (in_table_ && fields.size() == columns && to_number(fields[1].text)) {
      error(fields.front().column, fmt::format("'{}' is no size", fields.front().text));
    } else if (fields.front().text == "===" || fields.back().text == "Performance") {
      in_table_ = false;
      title_ = operation_of_title(fields);
    }
  }

  std::optional<Collective> operation() const { return options_.op ? options_.op : title_; }

  std::optional<std::int64_t> whole_of(const Field& field, std::int64_t min, std::int64_t max) {
    const std::optional<std::int64_t> value = to_whole(field.text);
    if (value && *value >= min && *value <= max) return value;
    error(field.column, fmt::format("'{}' is no whole number from {} to {}", field.text, min, max));
    return std::nullopt;
  }

  std::optional<double> time_of(const Field& field) {
    const std::optional<double> value = to_number(field.text);
    if (value && *value > 0 && std::isfinite(*value)) return *value * 1e-6;
    error(field.column, fmt::format("'{}' is no time", field.text), "microseconds above 0");
    return std::nullopt;
  }

  void take_row(const std::vector<Field>& fields) {
    const std::size_t before = problems_.size();
    if (fields.size() != columns)
      return error(fields.back().end,
                   fmt::format("a row of {} words, {} are expected", fields.size(), columns),
                   "it was cut off or mixed with another line");
    const auto size = whole_of(fields[0], 0, size_max);
    const auto ranks = whole_of(fields[1], 1, count_max);
    const auto iterations = whole_of(fields[2], 1, count_max);
    const auto mean = time_of(fields[3]);
    const auto min = time_of(fields[4]);
    const auto max = time_of(fields[5]);
    if (!to_number(fields[6].text))
      error(fields[6].column, fmt::format("'{}' is no number", fields[6].text));
    const std::optional<Collective> op = operation();
    if (problems_.size() != before || !op) return;
    CollectiveRecord record;
    record.op = *op;
    const std::string_view name =
        options_.dtype.empty() ? "float" : element_type_of(options_.dtype);
    const ElementType* type = find_element_type(name);
    if (type == nullptr)
      return error(0, fmt::format("no type '{}'", options_.dtype), "--dtype is one of nccl-tests");
    record.dtype = type->name;
    record.reduction = has_reduction(*op) ? "sum" : "none";
    record.root = has_root(*op) ? 0 : -1;
    record.placement = {static_cast<int>(*ranks), 0, 0};
    record.convention = SizeConvention::torchcomms;
    record.bytes = base::Bytes::from_count(*size * sizes_per_buffer(*op, *ranks));
    record.count = record.bytes.count() / type->bytes /
                   bytes_of_call(*op, static_cast<int>(*ranks), 1, 1).count();
    record.times.mean = *mean;
    record.times.iterations = static_cast<int>(*iterations);
    if (*min != *mean || *max != *mean) {  // the program prints the mean where it knows no more
      record.times.min = *min;
      record.times.max = *max;
    }
    record.line = number_;
    records_.push_back(std::move(record));
  }

  /// How often the size that is printed is in the buffer that nccl-tests counts.
  static std::int64_t sizes_per_buffer(Collective op, std::int64_t ranks) {
    return op == Collective::all_gather || op == Collective::gather || op == Collective::scatter
               ? ranks
               : 1;
  }

  std::string_view text_;
  const std::string& file_;
  const ImportOptions& options_;
  base::Diagnostics problems_;
  std::vector<CollectiveRecord> records_;
  std::optional<Collective> title_;
  bool in_table_ = false;
  int number_ = 0;
};

}  // namespace

bool is_torchcomms(std::string_view text) {
  return text.find("BusBw(GB/s)") != std::string_view::npos &&
         text.find("Size(B)") != std::string_view::npos;
}

ImportResult import_torchcomms(std::string_view text, const std::string& file,
                               const ImportOptions& options) {
  return Reader(text, file, options).read();
}

}  // namespace calibrate
