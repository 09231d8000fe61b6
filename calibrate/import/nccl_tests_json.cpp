#include "calibrate/import/nccl_tests_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "calibrate/harness/sweep.hpp"
#include "calibrate/import/json_reader.hpp"
#include "calibrate/import/rank_lines.hpp"

namespace calibrate {

namespace {

using base::Node;

constexpr std::string_view program_end = "_perf";
constexpr std::int64_t version_max = 3;

/// Keys that matter. Some releases misspell a few: where one is missing, the unknown key that is
/// nearest to it is taken.
constexpr std::array<std::string_view, 32> known_keys{
    "version",      "start_time",    "args",         "env",      "nccl_version", "config",
    "results",      "out_of_bounds", "errors",       "end_time", "nthreads",     "ngpus",
    "warmup_iters", "iterations",    "devices",      "rank",     "group",        "hostname",
    "device",       "device_hex",    "device_info",  "size",     "count",        "type",
    "redop",        "root",          "out_of_place", "in_place", "time",         "cpu_time",
    "alg_bw",       "bus_bw"};

std::string key_in(const Node& map, std::string_view key) {
  if (map.find(key) != nullptr) return std::string(key);
  std::vector<std::string_view> unknown;
  for (const Node::Entry& entry : map.entries)
    if (std::find(known_keys.begin(), known_keys.end(), entry.key) == known_keys.end())
      unknown.push_back(entry.key);
  const std::string_view near = base::nearest(key, unknown);
  return std::string(near.empty() ? key : near);
}

int bounded(std::optional<std::int64_t> number, int otherwise) {
  constexpr std::int64_t most = 1'000'000'000;
  return number ? static_cast<int>(std::min(*number, most)) : otherwise;
}

/// One JSON text: one sweep.
class Reader {
 public:
  Reader(const base::Document& document, const base::JsonPart& part, const ImportOptions& options,
         base::Diagnostics& problems)
      : root_(document.root),
        json_(document, part, problems),
        options_(options),
        problems_(problems) {}

  RunRecords read() {
    const std::size_t before = problems_.size();
    const std::int64_t version = json_.required_whole(root_, "version", 1).value_or(version_max);
    if (version > version_max)
      json_.error(*root_.find("version"),
                  fmt::format("version {} is newer than {}", version, version_max));
    read_run();
    read_common();
    const Node* results = json_.require(root_, key_in(root_, "results"));
    if (results != nullptr && results->kind != Node::Kind::sequence)
      json_.error(*results, "\"results\" is no list");
    if (problems_.size() != before || results == nullptr) return {};
    for (const Node& result : results->items) read_result(result);
    return std::move(out_);
  }

 private:
  void read_run() {
    Run& run = out_.run;
    const std::string tool = JsonReader::text(root_, "tool");
    run.tool = tool.empty() ? "nccl-tests" : tool;
    run.version = JsonReader::text(root_, "tool_version");
    if (const Node* words = root_.find("args"))
      for (const Node& word : words->items)
        run.command += (run.command.empty() ? "" : " ") + word.text;
    const Node* average = root_.find(key_in(root_, "average_bus_bandwidth"));
    run.state = average != nullptr ? RunState::complete : RunState::interrupted;
    if (const std::string started = JsonReader::text(root_, "start_time"); !started.empty())
      run.note = fmt::format("started {}, local time", started);
  }

  void read_common() {
    common_.library = JsonReader::text(root_, "library");
    common_.library_version = JsonReader::text(root_, "library_version");
    if (common_.library.empty()) {
      common_.library = "NCCL";
      const std::int64_t code = json_.whole(root_, key_in(root_, "nccl_version"), 0).value_or(0);
      common_.library_version = version_of_code(code);
    }
    const Node* config = json_.require(root_, key_in(root_, "config"));
    if (config != nullptr) read_config(*config);
    common_.placement = placement_of(ranks_);
    common_.device = common_device(ranks_);
    describe(ranks_, out_.run);
    const std::string program = program_of_args();
    const auto op = options_.op ? options_.op : collective_of(program);
    if (op && program != "alltoallv")
      common_.op = *op;
    else
      json_.error(root_,
                  program.empty()
                      ? "the file does not say which operation it measures"
                      : fmt::format("'{}' measures no operation that can be kept", program),
                  "give it: --operation NAME");
    const base::Diagnostics missing = complete(common_, options_, json_.where(root_));
    problems_.insert(problems_.end(), missing.begin(), missing.end());
    out_.run.software = {{common_.library, common_.library_version}};
  }

  /// "all_reduce" of "./build/all_reduce_perf".
  std::string program_of_args() const {
    const Node* words = root_.find("args");
    if (words == nullptr || words->items.empty()) return "";
    std::string_view word = words->items.front().text;
    if (!word.ends_with(program_end)) return "";
    word.remove_suffix(program_end.size());
    return std::string(word.substr(word.find_last_of('/') + 1));
  }

  void read_config(const Node& config) {
    common_.times.iterations = bounded(json_.whole(config, key_in(config, "iterations"), 0), 0);
    common_.times.warm_up = bounded(json_.whole(config, key_in(config, "warmup_iters"), 0), 0);
    common_.algorithm = JsonReader::text(config, "algorithm");
    common_.protocol = JsonReader::text(config, "protocol");
    const std::int64_t threads = bounded(json_.whole(config, key_in(config, "nthreads"), 1), 1);
    const std::int64_t gpus = bounded(json_.whole(config, key_in(config, "ngpus"), 1), 1);
    const Node* devices = config.find(key_in(config, "devices"));
    if (devices == nullptr) return;
    constexpr std::int64_t ranks_max = 10'000'000;
    // Each process lists the first of its devices only.
    const std::int64_t each = threads * gpus;
    if (each * static_cast<std::int64_t>(devices->items.size()) > ranks_max)
      return json_.error(*devices, fmt::format("more than {} ranks", ranks_max));
    for (const Node& device : devices->items) {
      RankLine line;
      line.rank = bounded(json_.whole(device, "rank", 0), 0);
      line.group = bounded(json_.whole(device, "group", 0), 0);
      line.host = JsonReader::text(device, key_in(device, "hostname"));
      line.identity = JsonReader::text(device, key_in(device, "device_hex"));
      line.device = JsonReader::text(device, key_in(device, "device_info"));
      const std::string first = line.identity;
      for (std::int64_t i = 0; i < each; ++i) {
        if (i > 0) line.identity = fmt::format("{} +{}", first, i);
        ranks_.push_back(line);
        ++line.rank;
      }
    }
  }

  // --- results -------------------------------------------------------------------------------

  void read_result(const Node& result) {
    const std::size_t before = problems_.size();
    CollectiveRecord record = common_;
    record.line = json_.where(result).line;
    const auto bytes = json_.required_whole(result, key_in(result, "size"), 0);
    const auto count = json_.required_whole(result, key_in(result, "count"), 0);
    const auto root = json_.whole(result, key_in(result, "root"), -1);
    const std::string type_name = JsonReader::text(result, key_in(result, "type"));
    const ElementType* type = find_element_type(element_type_of(type_name));
    if (type == nullptr) json_.error(result, fmt::format("no type '{}'", type_name));
    if (problems_.size() != before) return;
    record.bytes = base::Bytes::from_count(*bytes);
    record.count = *count;
    record.dtype = type->name;
    record.reduction = JsonReader::text(result, key_in(result, "redop"));
    record.root = static_cast<int>(
        std::min<std::int64_t>(root.value_or(-1), std::numeric_limits<int>::max()));
    if (const auto iterations = json_.whole(result, "actual_iterations", 0))
      if (*iterations > 0) record.times.iterations = bounded(iterations, 0);
    if (!is_size_of(record.bytes, record.op, record.placement.ranks, *count, type->bytes))
      return json_.error(result,
                         fmt::format("{} bytes are not {} of {} for {} of {} ranks", *bytes, *count,
                                     type->name, base::name_of(record.op), record.placement.ranks),
                         "--ranks and --operation go before what the file says");
    for (const bool in_place : {false, true}) {
      const std::string_view key = in_place ? "in_place" : "out_of_place";
      const Node* side = result.find(key_in(result, key));
      if (side == nullptr || side->kind == Node::Kind::null) continue;
      record.in_place = in_place;
      read_side(*side, result.find(fmt::format("{}_per_iter", key)), record);
    }
  }

  void read_side(const Node& side, const Node* iterations, CollectiveRecord record) {
    const std::size_t before = problems_.size();
    const bool issue = side.find("time") == nullptr && side.find("cpu_time") != nullptr;
    const auto mean = json_.required_time(side, issue ? "cpu_time" : key_in(side, "time"));
    const auto wrong = json_.number(side, "nwrong", 0);
    if (wrong && *wrong < 9e18) record.wrong = static_cast<std::int64_t>(*wrong);
    // Releases differ in where the statistics stand.
    const Node& statistics = iterations != nullptr ? *iterations : side;
    if (mean) record.times.mean = *mean;
    read_statistics(statistics, record.times);
    if (problems_.size() == before) out_.collectives.push_back(std::move(record));
  }

  void read_statistics(const Node& from, Times& times) {
    for (const auto& [key, out] : {std::pair{"min_us", &times.min},
                                   {"max_us", &times.max},
                                   {"p50_us", &times.p50},
                                   {"p95_us", &times.p95},
                                   {"p99_us", &times.p99},
                                   {"stdev_us", &times.deviation}})
      if (const auto value = json_.number(from, key, 0)) *out = *value * 1e-6;
    times.dropped = 0;
    const Node* samples = from.find("times_us");
    if (samples == nullptr) return;
    for (const Node& sample : samples->items) {
      const std::optional<double> value = to_number(sample.text);
      if (!value || !(*value >= 0) || *value > 1e18)
        json_.error(sample, fmt::format("'{}' is no time", sample.text));
      else
        times.samples.push_back(*value * 1e-6);
    }
  }

  const Node& root_;
  JsonReader json_;
  const ImportOptions& options_;
  base::Diagnostics& problems_;
  RunRecords out_;
  CollectiveRecord common_;
  std::vector<RankLine> ranks_;
};

}  // namespace

bool is_nccl_tests_json(std::string_view text) {
  text = text.substr(0, 1 << 20);
  return text.find("\"version\"") != std::string_view::npos &&
         (text.find("\"nccl_version\"") != std::string_view::npos ||
          text.find("\"redop\"") != std::string_view::npos);
}

ImportResult import_nccl_tests_json(std::string_view text, const std::string& file,
                                    const ImportOptions& options) {
  Imported out;
  base::Diagnostics problems;
  for (const base::JsonPart& part : base::json_parts(text)) {
    const auto document = base::parse_part(part, file);
    if (!document) {
      problems.insert(problems.end(), document.error().begin(), document.error().end());
      continue;
    }
    RunRecords run = Reader(*document, part, options, problems).read();
    if (run.collectives.empty()) continue;
    run.run.id = import_id(text, options, out.runs.size());
    run.run.source = file;
    out.runs.push_back(std::move(run));
  }
  if (problems.empty() && out.runs.empty())
    problems.push_back({{file, 0, 0}, "it has no result of nccl-tests", ""});
  if (!problems.empty()) return tl::unexpected(problems);
  return out;
}

}  // namespace calibrate
