#include "calibrate/import/nccl_tests_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "calibrate/harness/sweep.hpp"
#include "calibrate/import/rank_lines.hpp"
#include "calibrate/import/text_lines.hpp"

namespace calibrate {

namespace {

constexpr std::size_t key_columns = 5;  // size, count, type, redop, root
constexpr int empty_side = 30;          // characters that stand for a side that was not measured

/// What the column header says: the columns of one side, and how many sides there are.
struct Columns {
  std::vector<std::string> side{"time", "algbw", "busbw", "#wrong"};
  std::size_t sides = 2;
};

/// One program's output so far.
struct Sweep {
  int line = 0;  ///< where it begins; 0: nothing of it was seen
  Run run;
  std::vector<RankLine> ranks;
  std::string program;
  std::string library;
  std::string version;
  std::string algorithm;
  std::string protocol;
  int warm_up = 0;
  int iterations = 0;
  Columns columns;
  bool in_table = false;
  std::optional<CollectiveRecord> common;  ///< what all rows share, from the first row on
  std::vector<CollectiveRecord> records;
};

/// Without the "[1,0]<stdout>:" of mpirun or the "0: " of srun before a line.
std::string_view without_tag(std::string_view line) {
  constexpr std::string_view tag = "]<stdout>:";
  if (const std::size_t at = line.find(tag); line.starts_with('[') && at != line.npos)
    return line.substr(at + tag.size());
  const std::size_t digits = line.find_first_not_of(" 0123456789");
  const bool labelled = digits != line.npos && digits > 0 && line.substr(digits, 2) == ": ";
  return labelled ? line.substr(digits + 1) : line;
}

/// The word that follows `key` in a line; empty when the line has no such key.
std::string_view word_after(std::string_view line, std::string_view key) {
  const std::size_t at = line.find(key);
  if (at == std::string_view::npos) return {};
  const std::vector<Field> fields = fields_of(line.substr(at + key.size()));
  return fields.empty() ? std::string_view() : fields.front().text;
}

/// "all_reduce_perf" of a path or a quoted word; empty when a word names no program of nccl-tests.
std::string_view program_of(std::string_view word) {
  constexpr std::string_view ending = "_perf";
  const std::size_t end = word.find(ending);
  if (end == std::string_view::npos) return {};
  word = word.substr(0, end + ending.size());
  const std::size_t begin = word.find_last_of("/\\'\"=:");
  return begin == std::string_view::npos ? word : word.substr(begin + 1);
}

std::optional<base::Collective> operation_of_program(std::string_view program) {
  program.remove_suffix(std::min<std::size_t>(5, program.size()));
  if (program == "alltoallv") return std::nullopt;  // sizes differ from rank to rank
  return collective_of(program);
}

bool is_log(std::string_view line) {
  return line.find("NCCL INFO") != std::string_view::npos ||
         line.find("NCCL WARN") != std::string_view::npos ||
         line.find("CCL version") != std::string_view::npos;
}

/// "2025-03-01" of a time stamp.
bool is_date(std::string_view word) {
  return word.size() == 10 && word[4] == '-' && word[7] == '-' && to_whole(word.substr(0, 4));
}

class Reader {
 public:
  Reader(std::string_view text, const std::string& file, const ImportOptions& options)
      : text_(text), file_(file), options_(options) {}

  ImportResult read() {
    for_each_line(text_, [this](std::string_view line, int number) {
      number_ = number;
      const std::string_view own = without_tag(line);
      tag_ = static_cast<int>(line.size() - own.size());
      take(own);
    });
    close();
    if (problems_.empty() && out_.runs.empty())
      problems_.push_back({{file_, 0, 0},
                           "it has no row of nccl-tests",
                           "rows begin with size, count, type, redop and root"});
    if (!problems_.empty()) return tl::unexpected(problems_);
    if (foreign_lines_ > 0)
      out_.notes.push_back({{file_, 0, 0},
                            fmt::format("{} lines among the rows are not of nccl-tests and were "
                                        "passed over",
                                        foreign_lines_),
                            "",
                            base::Severity::note});
    return std::move(out_);
  }

 private:
  void error(int column, std::string message, std::string hint = {}) {
    problems_.push_back(
        {{file_, number_, column > 0 ? column + tag_ : 0}, std::move(message), std::move(hint)});
  }

  void take(std::string_view line) {
    const std::vector<Field> fields = fields_of(line);
    if (fields.empty()) return;
    if (is_row(fields)) return take_row(fields);
    if (is_log(line)) return take_log(line);
    if (fields.front().text.starts_with('#')) return take_comment(line, fields);
    if (const std::string_view version = word_after(line, "rccl-tests: Version"); !version.empty())
      return take_tool("rccl-tests", version, "RCCL", "");
    // "mpirun … ./build/all_reduce_perf -b 8" says the operation where nothing else does.
    for (const Field& field : fields)
      if (const std::string_view program = program_of(field.text); !program.empty())
        mentioned_ = program;
    if (sweep_.in_table) ++foreign_lines_;
  }

  /// Rows begin with numbers; a damaged one is known by what is left of it.
  bool is_row(const std::vector<Field>& fields) const {
    const bool typed = fields.size() > 2 && !element_type_of(fields[2].text).empty();
    if (typed && (to_whole(fields[0].text) || to_whole(fields[1].text))) return true;
    return sweep_.in_table && to_whole(fields[0].text);
  }

  void take_log(std::string_view line) {
    for (const auto& [key, library] : {std::pair{"RCCL version : ", "RCCL"},
                                       {"RCCL version ", "RCCL"},
                                       {"NCCL version ", "NCCL"}})
      if (const std::string_view version = word_after(line, key);
          !version.empty() && version.front() >= '0' && version.front() <= '9' &&
          sweep_.version.empty()) {
        sweep_.library = library;
        sweep_.version = version.substr(0, version.find_first_of("+:"));
      }
  }

  void take_tool(std::string_view tool, std::string_view version, std::string_view library,
                 std::string_view library_version) {
    begin(!sweep_.run.tool.empty());
    sweep_.run.tool = tool;
    sweep_.run.version = version == "-" ? "" : version;
    sweep_.library = library;
    if (!library_version.empty()) sweep_.version = library_version;
  }

  /// A line of a header: of the next sweep when this one has it already, or has rows.
  void begin(bool has_it) {
    if (has_it || sweep_.common) close();
    if (sweep_.line == 0) sweep_.line = number_;
  }

  void take_comment(std::string_view line, const std::vector<Field>& fields) {
    constexpr std::string_view library_key = " library=";
    constexpr std::string_view forced_key = "# Forced algorithm ";
    const bool names_version = fields.size() > 3 && fields[2].text == "version";
    if (std::optional<RankLine> rank = read_rank_line(line.substr(line.find('#')))) {
      begin(false);
      sweep_.ranks.push_back(std::move(*rank));
    } else if (names_version && fields[1].text.ends_with("-tests")) {
      const std::string_view code = word_after(line, "nccl-library=");
      take_tool(fields[1].text, fields[3].text, fields[1].text == "rccl-tests" ? "RCCL" : "NCCL",
                version_of_code(to_whole(code).value_or(0)));
    } else if (const std::string_view version = word_after(line, library_key);
               names_version && !version.empty()) {  // written by foreshard
      std::string_view name = line.substr(line.find(library_key) + library_key.size());
      name.remove_prefix(std::min(name.find(version) + version.size() + 1, name.size()));
      take_tool(fields[1].text, fields[3].text, name, version == "-" ? "" : version);
    } else if (const std::string_view program = word_after(line, "Collective test starting:");
               !program.empty()) {
      begin(!sweep_.program.empty());
      sweep_.program = program_of(program);
    } else if (fields.size() > 2 && fields[1].text == "nThread") {
      take_parameters(fields);
    } else if (line.find(forced_key) != std::string_view::npos) {  // written by foreshard
      take_forced(line.substr(line.find(forced_key) + forced_key.size()));
    } else if (const auto time = std::find_if(fields.begin(), fields.end(), is_time);
               time != fields.end() && fields.size() > key_columns) {
      take_columns(fields, static_cast<std::size_t>(time - fields.begin()));
    } else if (line.find("Avg bus bandwidth") != std::string_view::npos) {
      sweep_.run.state = RunState::complete;
      sweep_.in_table = false;
    }
  }

  /// "ring protocol ll128", "-" for what was left to the library.
  void take_forced(std::string_view words) {
    constexpr std::string_view protocol_key = " protocol ";
    begin(false);
    const std::size_t at = std::min(words.rfind(protocol_key), words.size());
    const std::string_view algorithm = words.substr(0, at);
    const std::string_view protocol =
        words.substr(std::min(at + protocol_key.size(), words.size()));
    sweep_.algorithm = algorithm == "-" ? "" : algorithm;
    sweep_.protocol = protocol == "-" ? "" : protocol;
  }

  static bool is_time(const Field& field) {
    return field.text == "time" || field.text == "cputime";
  }

  void take_parameters(const std::vector<Field>& fields) {
    begin(sweep_.iterations > 0);
    for (std::size_t i = 1; i + 1 < fields.size(); ++i) {
      if (fields[i].text != "iters:") continue;
      const auto number = static_cast<int>(
          std::clamp<std::int64_t>(to_whole(fields[i + 1].text).value_or(0), 0, 1'000'000'000));
      if (fields[i - 1].text == "warmup")
        sweep_.warm_up = number;
      else if (fields[i - 1].text != "agg")
        sweep_.iterations = number;
    }
  }

  void take_columns(const std::vector<Field>& fields, std::size_t first) {
    begin(false);
    const auto begin_side = fields.begin() + static_cast<std::ptrdiff_t>(first);
    const auto second = std::find_if(begin_side + 1, fields.end(), is_time);
    sweep_.columns = {{}, second == fields.end() ? std::size_t{1} : std::size_t{2}};
    for (auto field = begin_side; field != second; ++field)
      if (field->text != "timestamp") sweep_.columns.side.emplace_back(field->text);
    sweep_.in_table = true;
  }

  // --- rows ----------------------------------------------------------------------------------

  void take_row(std::vector<Field> fields) {
    if (!sweep_.common) start_rows();
    const int end = fields.back().end;
    if (fields.size() > 2 && is_date(fields[fields.size() - 2].text))
      fields.resize(fields.size() - 2);
    const std::size_t side = sweep_.columns.side.size();
    const std::size_t values = fields.size() - std::min(fields.size(), key_columns);
    if (fields.size() <= key_columns || values % side != 0 || values / side > sweep_.columns.sides)
      return error(end,
                   fmt::format("a row of {} words, {} are expected", fields.size(),
                               key_columns + side * sweep_.columns.sides),
                   "it was cut off or mixed with another line");
    CollectiveRecord record = *sweep_.common;
    record.line = number_;
    if (!take_key(fields, record)) return;
    const bool in_place_only =
        sweep_.columns.sides == 2 && values == side &&
        fields[key_columns].column - fields[key_columns - 1].end > empty_side;
    for (std::size_t at = key_columns; at < fields.size(); at += side) {
      record.in_place = at > key_columns || in_place_only;
      if (take_side(fields, at, record)) sweep_.records.push_back(record);
    }
  }

  /// At the first row: what the header and the options say of all.
  void start_rows() {
    begin(false);
    sweep_.in_table = true;
    CollectiveRecord& common = sweep_.common.emplace();
    const std::string program = sweep_.program.empty() ? mentioned_ : sweep_.program;
    const std::optional<base::Collective> op =
        options_.op ? options_.op : operation_of_program(program);
    if (op)
      common.op = *op;
    else if (program.empty())
      error(0, "the file does not say which operation it measures", "give it: --operation NAME");
    else
      error(0, fmt::format("'{}' measures no operation that can be kept", program));
    op_known_ = op.has_value();
    common.device = common_device(sweep_.ranks);
    common.placement = placement_of(sweep_.ranks);
    const bool amd = common.device.find("AMD") != std::string::npos;
    common.library = !sweep_.library.empty() ? sweep_.library : amd ? "RCCL" : "NCCL";
    common.library_version = sweep_.version;
    common.algorithm = sweep_.algorithm;
    common.protocol = sweep_.protocol;
    common.times.iterations = sweep_.iterations;
    common.times.warm_up = sweep_.warm_up;
    const base::Diagnostics missing = complete(common, options_, {file_, number_, 0});
    problems_.insert(problems_.end(), missing.begin(), missing.end());
    op_known_ = op_known_ && missing.empty();
    sweep_.run.command = op ? program : "";
    mentioned_.clear();
  }

  bool take_key(const std::vector<Field>& fields, CollectiveRecord& record) {
    const std::size_t before = problems_.size();
    const std::optional<std::int64_t> bytes = whole_of(fields[0], 0);
    const std::optional<std::int64_t> count = whole_of(fields[1], 0);
    const std::optional<std::int64_t> root = whole_of(fields[4], -1);
    const ElementType* type = find_element_type(element_type_of(fields[2].text));
    if (type == nullptr) error(fields[2].column, fmt::format("no type '{}'", fields[2].text));
    if (root && *root > std::numeric_limits<int>::max())
      error(fields[4].column, fmt::format("{} is no rank", *root));
    if (problems_.size() != before) return false;
    record.bytes = base::Bytes::from_count(*bytes);
    record.count = *count;
    record.dtype = type->name;
    record.reduction = fields[3].text;
    record.root = static_cast<int>(*root);
    if (!op_known_) return true;
    const int ranks = record.placement.ranks;
    if (!is_size_of(record.bytes, record.op, ranks, *count, type->bytes))
      error(fields[0].column,
            fmt::format("{} bytes are not {} of {} for {} of {} ranks", *bytes, *count, type->name,
                        base::name_of(record.op), ranks),
            "--ranks and --operation go before what the file says");
    return problems_.size() == before;
  }

  std::optional<std::int64_t> whole_of(const Field& field, std::int64_t min) {
    const std::optional<std::int64_t> number = to_whole(field.text);
    if (number && *number >= min) return number;
    error(field.column, fmt::format("'{}' is no whole number from {}", field.text, min));
    return std::nullopt;
  }

  /// Values of one side, that begin at a field.
  bool take_side(const std::vector<Field>& fields, std::size_t at, CollectiveRecord& record) {
    const std::size_t before = problems_.size();
    record.wrong.reset();
    double algorithm_bandwidth = 0;
    double bus_bandwidth = 0;
    double variation = 0;
    for (std::size_t i = 0; i < sweep_.columns.side.size(); ++i) {
      const std::string& column = sweep_.columns.side[i];
      const Field& field = fields[at + i];
      if (field.text == "N/A" && (column == "#wrong" || column == "error")) continue;
      const std::optional<double> number = to_number(field.text);
      if (!number) {
        error(field.column, fmt::format("'{}' is no number ({})", field.text, column));
        continue;
      }
      if (column == "time" || column == "cputime")
        record.times.mean = time_of(field, *number);
      else if (column == "algbw")
        algorithm_bandwidth = *number;
      else if (column == "busbw")
        bus_bandwidth = *number;
      else if (column == "#wrong")
        take_wrong(field, *number, record);
      else if (column == "i_min")
        record.times.min = time_of(field, *number);
      else if (column == "i_max")
        record.times.max = time_of(field, *number);
      else if (column == "i_p99")
        record.times.p99 = time_of(field, *number);
      else if (column == "i_cv%")
        variation = *number / 100;
    }
    if (std::isfinite(variation)) record.times.deviation = variation * record.times.mean;
    if (problems_.size() == before)
      check_factor(fields[at], record, algorithm_bandwidth, bus_bandwidth);
    return problems_.size() == before;
  }

  double time_of(const Field& field, double us) {
    if (!(us > 0) || !std::isfinite(us))
      error(field.column, fmt::format("'{}' is no time", field.text), "microseconds above 0");
    return us * 1e-6;
  }

  void take_wrong(const Field& field, double number, CollectiveRecord& record) {
    constexpr double most = 9e18;
    if (!(number >= 0) || number > most)
      return error(field.column, fmt::format("'{}' is no number of elements", field.text));
    record.wrong = static_cast<std::int64_t>(number);
  }

  /// The bus bandwidth tells the number of ranks where there are digits enough.
  void check_factor(const Field& place, const CollectiveRecord& record, double algorithm_bandwidth,
                    double bus_bandwidth) {
    constexpr double digits = 10;  // two decimals of this are within 0.1 %
    constexpr double tolerance = 0.02;
    const int ranks = record.placement.ranks;
    if (!op_known_ || !(algorithm_bandwidth >= digits) || !(bus_bandwidth >= digits) ||
        algorithm_bandwidth > 1e4 || bus_bandwidth > 1e4)
      return;
    const double factor = base::bus_factor(record.op, ranks);
    if (std::abs(bus_bandwidth / algorithm_bandwidth - factor) <= tolerance * factor) return;
    error(place.column,
          fmt::format("bus bandwidth over algorithm bandwidth is {:.3g}, {} of {} ranks has {:.3g}",
                      bus_bandwidth / algorithm_bandwidth, base::name_of(record.op), ranks, factor),
          "--ranks and --operation go before what the file says");
  }

  /// Ends a sweep: its rows become a run.
  void close() {
    if (!sweep_.records.empty()) {
      Run run = std::move(sweep_.run);
      run.id = import_id(text_, options_, out_.runs.size());
      if (run.tool.empty()) run.tool = sweep_.library == "RCCL" ? "rccl-tests" : "nccl-tests";
      run.source = file_;
      describe(sweep_.ranks, run);
      const CollectiveRecord& first = sweep_.records.front();
      run.software = {{first.library, first.library_version}};
      out_.runs.push_back({std::move(run), std::move(sweep_.records), {}});
    } else if (sweep_.line > 0 && problems_.empty()) {
      out_.notes.push_back(
          {{file_, sweep_.line, 0}, "a sweep without rows", "", base::Severity::note});
    }
    sweep_ = new_sweep();
  }

  static Sweep new_sweep() {
    Sweep sweep;
    sweep.run.state = RunState::interrupted;  // until its footer is read
    return sweep;
  }

  std::string_view text_;
  const std::string& file_;
  const ImportOptions& options_;
  Imported out_;
  base::Diagnostics problems_;
  Sweep sweep_ = new_sweep();
  std::string mentioned_;  ///< program that a line outside the output names
  bool op_known_ = false;  ///< and all else that rows can be checked against
  int number_ = 0;         ///< of the line
  int tag_ = 0;            ///< characters before the part of it that is read
  int foreign_lines_ = 0;
};

}  // namespace

bool is_nccl_tests_text(std::string_view text) {
  for (const std::string_view sign :
       {"# nccl-tests version", "# rccl-tests version", "rccl-tests: Version",
        "Collective test starting:", "# nThread ", "algbw   busbw"})
    if (text.find(sign) != std::string_view::npos) return true;
  return false;
}

ImportResult import_nccl_tests_text(std::string_view text, const std::string& file,
                                    const ImportOptions& options) {
  return Reader(text, file, options).read();
}

}  // namespace calibrate
