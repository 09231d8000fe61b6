#include "calibrate/import/nccl_log.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "calibrate/harness/sweep.hpp"
#include "calibrate/import/nccl_log_table.hpp"
#include "calibrate/import/text_lines.hpp"

namespace calibrate {

namespace {

using base::Collective;

constexpr std::string_view sign = "NCCL INFO ";
constexpr std::string_view choice_sign = " Bytes -> Algo ";

/// The number behind a word, for example 8 behind "nranks"; nothing where there is none.
std::optional<std::int64_t> number_after(const std::vector<Field>& fields,
                                         std::initializer_list<std::string_view> words) {
  for (std::size_t i = 0; i + 1 < fields.size(); ++i)
    for (const std::string_view word : words)
      if (fields[i].text == word) {
        std::string_view text = fields[i + 1].text;
        if (text.ends_with(',')) text.remove_suffix(1);
        return to_whole(text);
      }
  return std::nullopt;
}

/// What one process printed of its communicators so far.
struct Process {
  std::set<std::pair<int, int>> shapes;  ///< ranks and nodes of those in which it is rank 0
  int channels = 0;
  NcclTable table;
};

struct Key {
  Collective op;
  std::int64_t bytes;  ///< as nccl-tests counts them, or what one rank has if `of_rank`
  bool of_rank;
  std::string algorithm;
  std::string protocol;
  int ranks;
  int nodes;

  auto operator<=>(const Key&) const = default;
};

struct Choice {
  int line = 0;
  std::optional<double> seconds;     ///< that the line says
  const NcclTable* table = nullptr;  ///< of the process
  int channels = 0;
};

class Reader {
 public:
  Reader(std::string_view text, const std::string& file, const ImportOptions& options)
      : text_(text), file_(file), options_(options) {}

  ImportResult read() {
    for_each_line(text_, [&](std::string_view line, int number) { take(line, number); });
    if (problems_.empty() && choices_.empty())
      problems_.push_back({{file_},
                           "it has no line in which NCCL says what it chose",
                           "NCCL_DEBUG=INFO NCCL_DEBUG_SUBSYS=INIT,TUNING,GRAPH prints them"});
    if (!problems_.empty()) return tl::unexpected(problems_);
    RunRecords run = records();
    if (!problems_.empty()) return tl::unexpected(problems_);
    Imported out;
    const auto estimated =
        std::count_if(run.collectives.begin(), run.collectives.end(),
                      [](const auto& one) { return one.own_estimate.has_value(); });
    out.notes.push_back(import_note(
        file_,
        fmt::format("what NCCL chose for {} operations and sizes, and for {} of them what it "
                    "expected: nothing here is measured, and no fit rests on it",
                    run.collectives.size(), estimated)));
    if (options_.dtype.empty())
      out.notes.push_back(import_note(
          file_, "the type of elements is not in a log: counts are of bytes", "--dtype TYPE"));
    out.runs.push_back(std::move(run));
    return out;
  }

 private:
  void error(int line, int column, std::string message, std::string hint = {}) {
    problems_.push_back({{file_, line, column}, std::move(message), std::move(hint)});
  }

  void take(std::string_view line, int number) {
    if (const std::size_t at = line.find("NCCL version "); at != line.npos && version_.empty()) {
      const auto words = fields_of(line.substr(at));
      if (words.size() > 2) version_ = words[2].text.substr(0, words[2].text.find('+'));
    }
    // Of what several processes wrote into one line the last one ends with it.
    const std::size_t at = line.rfind(sign);
    if (at == line.npos) return;
    const std::string_view said = line.substr(at + sign.size());
    Process& process = processes_[process_of(line.substr(0, at))];
    const std::vector<Field> fields = fields_of(line);
    const auto first = static_cast<std::size_t>(
        std::count_if(fields.begin(), fields.end(),
                      [&](const Field& field) { return field.text.data() < said.data(); }));
    const std::vector<Field> words(fields.begin() + static_cast<std::ptrdiff_t>(first),
                                   fields.end());
    if (said.find(choice_sign) != said.npos) {
      take_choice(words, number, process);
    } else if (said.find(" |") != said.npos) {
      if (auto problem = process.table.take(said))
        error(number, words.empty() ? 0 : words.front().column, std::move(*problem));
    } else if (said.starts_with("Pattern ")) {
      graphs_.insert(std::string(said));
    } else {
      take_communicator(words, process);
    }
  }

  /// "node-a:1234" of "[0] node-a:1234:1250 [0] ".
  static std::string process_of(std::string_view before) {
    for (const Field& field : fields_of(before)) {
      const std::size_t last = field.text.rfind(':');
      if (last != field.text.npos && field.text.find(':') != last)
        return std::string(field.text.substr(0, last));
    }
    return {};
  }

  static void take_communicator(const std::vector<Field>& words, Process& process) {
    constexpr int most = std::numeric_limits<int>::max();
    if (words.size() > 2 && words[1].text == "coll" && words[2].text.starts_with("channels"))
      if (const auto channels = to_whole(words[0].text);
          channels && *channels > 0 && *channels < 1024)
        process.channels = static_cast<int>(*channels);
    const auto rank = number_after(words, {"rank"});
    const auto ranks = number_after(words, {"nRanks", "nranks"});
    const auto nodes = number_after(words, {"nNodes", "nnodes"});
    if (rank != 0 || !ranks || *ranks < 1 || *ranks > most || !nodes || *nodes < 1 ||
        *nodes > *ranks)
      return;
    process.shapes.emplace(static_cast<int>(*ranks), static_cast<int>(*nodes));
  }

  /// "AllReduce: 8 Bytes -> Algo RING proto LL channel{Lo..Hi}={0..3}", or
  /// "8 Bytes -> Algo 1 proto 0 time 25.2".
  void take_choice(const std::vector<Field>& words, int line, const Process& process) {
    const std::size_t before = problems_.size();
    Key key{};
    Choice choice{line, {}, nullptr, process.channels};
    std::size_t at = 0;
    const auto next = [&]() -> const Field& {
      static const Field none;
      return at < words.size() ? words[at++] : none;
    };
    const auto expect = [&](std::string_view word) {
      if (const Field& field = next(); field.text != word && problems_.size() == before)
        error(line, field.column, fmt::format("'{}' expected here", word), "the line is damaged");
    };
    std::optional<Collective> op = options_.op;
    const bool named = words.front().text.ends_with(':');
    if (named) {
      const std::string_view name = next().text;
      op = collective_of(name.substr(0, name.size() - 1));
      key.of_rank = true;
    }
    const Field& size = next();
    const auto bytes = to_whole(size.text);
    if (!bytes || *bytes < 0 || *bytes > bytes_most)
      error(line, size.column, "a number of bytes expected here");
    for (const std::string_view word : {"Bytes", "->", "Algo"}) expect(word);
    const Field& algorithm = next();
    expect("proto");
    const Field& protocol = next();
    key.algorithm = nccl_algorithm(algorithm.text);
    key.protocol = nccl_protocol(protocol.text);
    if (key.algorithm.empty()) error(line, algorithm.column, "no algorithm of NCCL");
    if (key.protocol.empty()) error(line, protocol.column, "no protocol of NCCL");
    if (!named) {
      expect("time");
      const Field& time = next();
      const auto us = to_number(time.text);
      if (!us || !std::isfinite(*us) || *us < 0)
        error(line, time.column, "a time in us expected here");
      else
        choice.seconds = *us * 1e-6;
    }
    if (problems_.size() != before) return;
    if (!op) {
      if (named) {
        ++others_;
        return;
      }
      return error(line, size.column, "the line does not say which operation it is",
                   "give it: --operation NAME");
    }
    key.op = *op;
    key.bytes = *bytes;
    if (process.shapes.size() == 1) std::tie(key.ranks, key.nodes) = *process.shapes.begin();
    if (process.table.known(*op)) choice.table = &process.table;
    const auto [known, fresh] = choices_.emplace(key, choice);
    if (!fresh && choice.seconds && known->second.seconds)
      known->second.seconds = std::min(*known->second.seconds, *choice.seconds);
  }

  RunRecords records() {
    RunRecords run;
    run.run.id = import_id(text_, options_, 0);
    run.run.tool = "nccl-log";
    run.run.source = file_;
    run.run.note = fmt::format("{}", fmt::join(graphs_, "; "));
    const ElementType* const given = find_element_type(element_type_of(options_.dtype));
    const ElementType type = given != nullptr ? *given : ElementType{"int8", 1};
    for (const auto& [key, choice] : choices_) {
      CollectiveRecord record;
      record.op = key.op;
      record.library = "NCCL";
      record.library_version = version_;
      record.algorithm = key.algorithm;
      record.protocol = key.protocol;
      record.dtype = type.name;
      record.reduction = has_reduction(key.op) ? "sum" : "none";
      record.root = has_root(key.op) ? 0 : -1;
      record.placement = {key.ranks, key.nodes,
                          key.nodes > 0 ? (key.ranks + key.nodes - 1) / key.nodes : 0};
      record.line = choice.line;
      if (base::Diagnostics missing = complete(record, options_, {file_, choice.line, 0});
          !missing.empty()) {
        problems_ = std::move(missing);
        return run;
      }
      const int ranks = record.placement.ranks;
      record.bytes = key.of_rank ? bytes_of_call(key.op, ranks, key.bytes, 1)
                                 : base::Bytes::from_count(key.bytes);
      record.count = record.bytes.count() / bytes_of_call(key.op, ranks, type.bytes, 1).count();
      record.own_estimate = choice.seconds;
      if (!record.own_estimate && choice.table != nullptr)
        record.own_estimate = choice.table->seconds(record, choice.channels);
      run.collectives.push_back(std::move(record));
    }
    if (!run.collectives.empty())
      run.run.software = {{"NCCL", run.collectives.front().library_version}};
    return run;
  }

  /// So that all ranks' together still is a number.
  static constexpr std::int64_t bytes_most = std::int64_t{1} << 50;

  std::string_view text_;
  const std::string& file_;
  const ImportOptions& options_;
  base::Diagnostics problems_;
  std::map<std::string, Process> processes_;  // tables stay where they are
  std::map<Key, Choice> choices_;
  std::set<std::string> graphs_;
  std::string version_;
  int others_ = 0;
};

}  // namespace

bool is_nccl_log(std::string_view text) {
  text = text.substr(0, 1 << 24);
  return text.find(sign) != text.npos && text.find(choice_sign) != text.npos;
}

ImportResult import_nccl_log(std::string_view text, const std::string& file,
                             const ImportOptions& options) {
  return Reader(text, file, options).read();
}

}  // namespace calibrate
