#include "calibrate/import/nccl_inspector.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>
#include <utility>

#include "calibrate/harness/sweep.hpp"
#include "calibrate/import/json_reader.hpp"

namespace calibrate {

namespace {

using base::Collective;
using base::Node;

/// What records are grouped by.
struct Key {
  Collective op;
  std::int64_t bytes;
  int ranks;
  int nodes;
  std::string algorithm;
  std::string protocol;

  auto operator<=>(const Key&) const = default;
};

/// One collective of one communicator.
using Instance = std::pair<std::string, std::int64_t>;

struct Group {
  int line = 0;
  std::map<Instance, double> times;  ///< seconds
};

std::string small(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

class Reader {
 public:
  Reader(std::string_view text, const std::string& file, const ImportOptions& options)
      : text_(text), file_(file), options_(options) {}

  ImportResult read() {
    for (const base::JsonPart& part : base::json_parts(text_)) {
      const auto document = base::parse_part(part, file_);
      if (document)
        take(*document, part);
      else
        problems_.insert(problems_.end(), document.error().begin(), document.error().end());
    }
    RunRecords run = records();
    if (problems_.empty() && run.collectives.empty())
      problems_.push_back({{file_, 0, 0}, "it has no collective of NCCL's inspector", ""});
    if (problems_.empty()) problems_ = complete_all(run.collectives, options_, file_);
    if (!problems_.empty()) return tl::unexpected(problems_);
    run.run.software = {{run.collectives.front().library, run.collectives.front().library_version}};
    Imported out;
    out.runs.push_back(std::move(run));
    if (others_ > 0)
      out.notes.push_back(import_note(
          file_, fmt::format("{} objects are of no collective that can be kept and were "
                             "passed over",
                             others_)));
    if (options_.dtype.empty())
      out.notes.push_back(
          import_note(file_, "the type of elements is not in these files: counts are of bytes",
                      "--dtype TYPE"));
    return out;
  }

 private:
  void take(const base::Document& document, const base::JsonPart& part) {
    const std::size_t before = problems_.size();
    JsonReader json(document, part, problems_);
    const Node& root = document.root;
    const Node* perf = root.find("coll_perf");
    if (perf == nullptr) {  // messages between two ranks, statistics of the dump
      if (root.find("header") == nullptr && root.find("metadata") == nullptr)
        json.error(root, "neither \"coll_perf\" nor \"header\" here",
                   "is it output of the inspector?");
      ++others_;
      return;
    }
    const Node* header = json.require(root, "header");
    if (header == nullptr) return;
    constexpr int most = std::numeric_limits<int>::max();
    const auto ranks = json.required_whole(*header, "n_ranks", 1);
    const auto nodes = json.required_whole(*header, "nnodes", 1);
    const auto bytes = json.required_whole(*perf, "coll_msg_size_bytes", 0);
    const auto time = json.required_time(*perf, "coll_exec_time_us");
    const std::string name = JsonReader::text(*perf, "coll");
    if (ranks && (*ranks > most || (nodes && *nodes > *ranks)))
      json.error(*header, fmt::format("{} ranks on {} nodes", *ranks, nodes.value_or(0)));
    if (problems_.size() != before) return;
    const std::optional<Collective> op = collective_of(name);
    const bool per_rank = op == Collective::all_gather || op == Collective::reduce_scatter;
    const bool whole =
        op == Collective::all_reduce || op == Collective::broadcast || op == Collective::reduce;
    if (!per_rank && !whole) {
      ++others_;
      return;
    }
    // The inspector counts what one rank has of a buffer that all share.
    const base::Bytes size = bytes_of_call(*op, static_cast<int>(*ranks), *bytes, 1);
    const Key key{*op,
                  size.count(),
                  static_cast<int>(*ranks),
                  static_cast<int>(*nodes),
                  small(JsonReader::text(*perf, "coll_algo")),
                  small(JsonReader::text(*perf, "coll_proto"))};
    Group& group = groups_[key];
    if (group.line == 0) group.line = json.where(root).line;
    describe(root);
    // Of one collective the rank that came last waited for nobody: its time is that of the
    // transfer. Lines without a number are collectives of their own.
    const auto number = json.whole(*perf, "coll_sn", std::numeric_limits<std::int64_t>::min());
    const std::string communicator = JsonReader::text(*header, "id");
    const Instance instance =
        number && !communicator.empty() ? Instance{communicator, *number} : Instance{"", part.line};
    const auto [known, added] = group.times.try_emplace(instance, *time);
    if (!added) known->second = std::min(known->second, *time);
  }

  void describe(const Node& root) {
    if (const Node* metadata = root.find("metadata"); metadata != nullptr && host_.empty()) {
      host_ = JsonReader::text(*metadata, "hostname");
      version_ = JsonReader::text(*metadata, "inspector_output_format_version");
    }
  }

  RunRecords records() const {
    RunRecords run;
    run.run.id = import_id(text_, options_, 0);
    run.run.tool = "nccl-inspector";
    run.run.version = version_;
    run.run.source = file_;
    run.run.machine.host = host_;
    const ElementType* type = find_element_type(element_type_of(options_.dtype));
    for (const auto& [key, group] : groups_) {
      CollectiveRecord record;
      record.op = key.op;
      record.library = "NCCL";
      record.algorithm = key.algorithm;
      record.protocol = key.protocol;
      record.dtype = type != nullptr ? type->name : "int8";
      record.reduction = has_reduction(key.op) ? "sum" : "none";
      record.root = has_root(key.op) ? 0 : -1;
      record.placement = {key.ranks, key.nodes, (key.ranks + key.nodes - 1) / key.nodes};
      record.bytes = base::Bytes::from_count(key.bytes);
      record.count = key.bytes / (type != nullptr ? type->bytes : 1) /
                     bytes_of_call(key.op, key.ranks, 1, 1).count();
      std::vector<double> samples;
      for (const auto& [instance, seconds] : group.times) samples.push_back(seconds);
      record.times = times_of(std::move(samples));
      record.line = group.line;
      run.collectives.push_back(std::move(record));
    }
    return run;
  }

  std::string_view text_;
  const std::string& file_;
  const ImportOptions& options_;
  base::Diagnostics problems_;
  std::map<Key, Group> groups_;
  std::string host_;
  std::string version_;
  int others_ = 0;
};

}  // namespace

bool is_nccl_inspector(std::string_view text) {
  return text.substr(0, 1 << 20).find("\"coll_perf\"") != std::string_view::npos;
}

ImportResult import_nccl_inspector(std::string_view text, const std::string& file,
                                   const ImportOptions& options) {
  return Reader(text, file, options).read();
}

}  // namespace calibrate
