#include "calibrate/import/kineto.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/document.hpp"
#include "calibrate/harness/sweep.hpp"
#include "calibrate/import/json_reader.hpp"
#include "calibrate/import/kineto_ops.hpp"

namespace calibrate {

namespace {

using base::Collective;
using base::Node;

constexpr std::size_t notes_max = 12;

/// Keys of events that take most of a file and say nothing to us.
constexpr std::array<std::string_view, 3> dropped{"args.Input Strides", "args.Call stack",
                                                  "args.Ev Idx"};

std::string_view text_of(const Node& map, std::string_view key) {
  const Node* node = map.find(key);
  return node == nullptr ? std::string_view() : std::string_view(node->text);
}

/// One operator's kernels.
struct Launches {
  const Node* op = nullptr;     ///< its event; nullptr when it is not in the trace
  const Node* first = nullptr;  ///< event of the first kernel
  double seconds = 0;
  bool tf32 = false;  ///< in the name of one
};

/// Whole numbers of "[0, 8, 16]", or of a list.
std::vector<std::int64_t> numbers_of(const Node* node) {
  std::vector<std::int64_t> numbers;
  if (node == nullptr) return numbers;
  for (const Node& item : node->items)
    if (const auto number = to_whole(item.text)) numbers.push_back(*number);
  std::string_view text = node->text;
  while (!text.empty()) {
    const std::size_t begin = text.find_first_of("0123456789");
    if (begin == std::string_view::npos) break;
    text.remove_prefix(begin);
    const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
    if (const auto number = to_whole(text.substr(0, end))) numbers.push_back(*number);
    text.remove_prefix(end);
  }
  return numbers;
}

class Reader {
 public:
  Reader(const base::Document& document, const ImportOptions& options, const std::string& file)
      : document_(document), json_(document, whole_, problems_), options_(options), file_(file) {}

  ImportResult read(std::string_view text) {
    const Node& root = document_.root;
    const Node* events =
        root.kind == Node::Kind::sequence ? &root : json_.require(root, "traceEvents");
    if (events == nullptr) return tl::unexpected(problems_);
    describe(root);
    for (const Node& event : events->items) index(event);
    for (const Node& event : events->items) {
      const std::string_view category = text_of(event, "cat");
      if (category == "kernel") take_kernel(event);
      if (category == "gpu_memcpy" || category == "gpu_memset")
        if (const auto us = json_.required_number(event, "dur", 0))
          leave_out(std::string(category), *us * 1e-6);
    }
    for (const auto& [id, launches] : launches_) take_launches(launches);
    if (!problems_.empty()) return tl::unexpected(problems_);
    return result(text);
  }

 private:
  void describe(const Node& root) {
    run_.run.tool = "pytorch";
    run_.run.source = file_;
    if (const Node* devices = root.find("deviceProperties"))
      for (const Node& device : devices->items)
        if (device_.empty()) device_ = text_of(device, "name");
    if (!options_.device.empty()) device_ = options_.device;
    if (const Node* job = root.find("distributedInfo")) {
      world_ = json_.whole(*job, "world_size", 1).value_or(0);
      nccl_version_ = text_of(*job, "nccl_version");
    }
    if (!device_.empty()) run_.run.devices = {{device_, "", {}}};
  }

  /// Operators by their number, and the numbers of launches that kernels know by another.
  void index(const Node& event) {
    const Node* args = event.find("args");
    if (args == nullptr) return;
    const std::string_view id = text_of(*args, "External id");
    const std::string_view category = text_of(event, "cat");
    if (id.empty()) return;
    if (category == "cpu_op") operators_.emplace(id, &event);
    if (category == "cuda_runtime" || category == "cuda_driver")
      operator_of_launch_.emplace(text_of(*args, "correlation"), id);
  }

  void take_kernel(const Node& event) {
    const auto us = json_.required_number(event, "dur", 0);
    const Node* args = event.find("args");
    if (!us) return;
    const double seconds = *us * 1e-6;
    const std::string_view name = text_of(event, "name");
    std::string_view id = args == nullptr ? std::string_view() : text_of(*args, "External id");
    if (id.empty() && args != nullptr)
      if (const auto launch = operator_of_launch_.find(text_of(*args, "correlation"));
          launch != operator_of_launch_.end())
        id = launch->second;
    const auto known = operators_.find(id);
    const Node* op = known == operators_.end() ? nullptr : known->second;
    if (name.starts_with("nccl")) return take_collective(event, args, op, seconds);
    if (op == nullptr) return leave_out("kernels without an operator", seconds);
    Launches& launches = launches_[id];
    launches.op = op;
    if (launches.first == nullptr) launches.first = &event;
    launches.seconds += seconds;
    launches.tf32 = launches.tf32 || name.find("tf32") != std::string_view::npos;
  }

  void leave_out(const std::string& what, double seconds) {
    auto& [count, time] = left_out_[what];
    ++count;
    time += seconds;
  }

  void take_launches(const Launches& launches) {
    const Node& args = *launches.op->find("args");
    const TorchOp op{text_of(*launches.op, "name"), args.find("Input Dims"),
                     args.find("Input type"), args.find("Concrete Inputs")};
    KernelOfOp kernel = kernel_of(op);
    if (kernel.unmatched.empty() && !(launches.seconds > 0)) kernel.unmatched = "it took no time";
    if (!kernel.unmatched.empty())
      return leave_out(fmt::format("{}: {}", op.name, kernel.unmatched), launches.seconds);
    set_arithmetic(launches, kernel.record);
    kernel.record.device = device_;
    if (!options_.library_version.empty()) kernel.record.library_version = options_.library_version;
    kernel.record.line = json_.where(*launches.first).line;
    // Equal but for the line.
    const auto same =
        std::find_if(run_.kernels.begin(), run_.kernels.end(), [&](const KernelRecord& other) {
          return other.kernel == kernel.record.kernel && other.kind == kernel.record.kind &&
                 other.dtype == kernel.record.dtype && other.rows == kernel.record.rows &&
                 other.library == kernel.record.library && other.variant == kernel.record.variant;
        });
    KernelRecord& record =
        same != run_.kernels.end() ? *same : run_.kernels.emplace_back(std::move(kernel.record));
    record.times.samples.push_back(launches.seconds);
  }

  /// What only the name of a kernel says: fp32 that is multiplied as tf32, AMD's library.
  static void set_arithmetic(const Launches& launches, KernelRecord& record) {
    auto* gemm = std::get_if<base::Gemm>(&record.kernel);
    if (gemm == nullptr) return;
    if (launches.tf32 && gemm->dtype == base::DType::fp32)
      gemm->dtype = record.dtype = base::DType::tf32;
    if (text_of(*launches.first, "name").starts_with("Cijk_")) record.library = "hipBLASLt";
  }

  // --- collectives ---------------------------------------------------------------------------

  void take_collective(const Node& event, const Node* args, const Node* op, double seconds) {
    const Node* from = args;
    if ((from == nullptr || from->find("Collective name") == nullptr) && op != nullptr)
      from = op->find("args");
    if (from == nullptr || from->find("Collective name") == nullptr)
      return leave_out("NCCL kernels without \"Collective name\"", seconds);
    const std::string name(text_of(*from, "Collective name"));
    const std::optional<Collective> kind = collective_of(name);
    const ElementType* type = find_element_type(element_type_of(text_of(*from, "dtype")));
    if (!kind) return leave_out(fmt::format("NCCL kernels of '{}'", name), seconds);
    if (type == nullptr || !(seconds > 0))
      return leave_out(fmt::format("NCCL kernels of '{}' without a type or a time", name), seconds);
    constexpr std::int64_t most = 1LL << 50;
    const std::size_t before = problems_.size();
    const auto in = json_.required_whole(*from, "In msg nelems", 0);
    const auto out = json_.whole(*from, "Out msg nelems", 0);
    const auto size = json_.required_whole(*from, "Group size", 1);
    if (problems_.size() == before && (*in > most || *size > 10'000'000))
      json_.error(event, fmt::format("{} elements of {} ranks", *in, *size));
    if (problems_.size() != before) return;
    CollectiveRecord record;
    record.op = *kind;
    record.library = "NCCL";
    record.library_version = nccl_version_;
    record.device = device_;
    record.dtype = type->name;
    record.reduction = has_reduction(*kind) ? "sum" : "none";
    record.root = has_root(*kind) ? 0 : -1;
    record.placement = placement_of(*from, static_cast<int>(*size));
    record.count = *in;
    if (*kind == Collective::reduce_scatter || *kind == Collective::all_to_all ||
        *kind == Collective::scatter)
      record.count = *kind == Collective::reduce_scatter && out && *out > 0 && *out <= *in
                         ? *out
                         : *in / *size;
    record.bytes = bytes_of_call(*kind, static_cast<int>(*size), record.count, type->bytes);
    record.line = json_.where(event).line;
    const auto same = std::find_if(
        run_.collectives.begin(), run_.collectives.end(), [&](const CollectiveRecord& other) {
          return other.op == record.op && other.bytes == record.bytes &&
                 other.dtype == record.dtype && other.placement == record.placement;
        });
    CollectiveRecord& kept =
        same != run_.collectives.end() ? *same : run_.collectives.emplace_back(std::move(record));
    kept.times.samples.push_back(seconds);
  }

  /// The ranks of a group, equally many of the job on every node.
  Placement placement_of(const Node& args, int size) const {
    Placement place{size, 0, 0};
    std::vector<std::int64_t> ranks = numbers_of(args.find("Process Group Ranks"));
    if (ranks.size() > 1 && ranks[1] > ranks[0] && ranks[1] - ranks[0] < 1'000'000)
      place.stride = static_cast<int>(ranks[1] - ranks[0]);
    if (options_.nodes < 1) return place;
    const std::int64_t world = std::max<std::int64_t>(world_, size);
    const std::int64_t per_node = std::max<std::int64_t>(1, world / options_.nodes);
    if (ranks.size() != static_cast<std::size_t>(size)) {  // long lists are cut off
      const std::int64_t first = ranks.empty() ? 0 : ranks.front();
      ranks.clear();
      for (std::int64_t i = 0; i < size; ++i) ranks.push_back(first % per_node + i * place.stride);
    }
    std::map<std::int64_t, int> members;
    for (const std::int64_t rank : ranks) ++members[rank / per_node];
    place.nodes = static_cast<int>(members.size());
    for (const auto& [node, count] : members)
      place.ranks_per_node = std::max(place.ranks_per_node, count);
    return place;
  }

  // --- the end -------------------------------------------------------------------------------

  ImportResult result(std::string_view text) {
    if (run_.collectives.empty() && run_.kernels.empty() && left_out_.empty())
      problems_.push_back({{file_, 0, 0},
                           "it has no kernel of a device",
                           "profile with ProfilerActivity.CUDA and record_shapes=True"});
    complete_records();
    if (!problems_.empty()) return tl::unexpected(problems_);
    run_.run.id = import_id(text, options_, 0);
    if (!run_.collectives.empty()) {
      run_.run.note = "times of collectives have waiting for later ranks in them";
      run_.run.software = {{"NCCL", run_.collectives.front().library_version}};
    }
    for (CollectiveRecord& record : run_.collectives) record.times = times_of(record.times.samples);
    for (KernelRecord& record : run_.kernels) record.times = times_of(record.times.samples);
    Imported out;
    out.notes = notes();
    if (!run_.collectives.empty() || !run_.kernels.empty()) out.runs.push_back(std::move(run_));
    return out;
  }

  void complete_records() {
    if (!run_.kernels.empty() && device_.empty() && run_.collectives.empty())
      problems_.push_back(
          {{file_, 0, 0}, "the file does not say what the ranks run on", "give it: --device NAME"});
    ImportOptions others = options_;  // places of groups are worked out already
    others.nodes = others.ranks = 0;
    if (problems_.empty()) problems_ = complete_all(run_.collectives, others, file_);
  }

  /// What was left out, the longest first.
  base::Diagnostics notes() const {
    std::vector<std::pair<double, std::string>> lines;
    for (const auto& [what, sum] : left_out_)
      lines.emplace_back(sum.second, fmt::format("{} times, {:.6g} us not matched: {}", sum.first,
                                                 sum.second * 1e6, what));
    std::stable_sort(lines.begin(), lines.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    base::Diagnostics notes;
    double rest = 0;
    for (std::size_t i = 0; i < lines.size(); ++i)
      if (i < notes_max)
        notes.push_back(import_note(file_, lines[i].second));
      else
        rest += lines[i].first;
    if (lines.size() > notes_max)
      notes.push_back(import_note(file_, fmt::format("{} more operators, {:.6g} us not matched",
                                                     lines.size() - notes_max, rest * 1e6)));
    return notes;
  }

  const base::JsonPart whole_{};
  const base::Document& document_;
  base::Diagnostics problems_;
  JsonReader json_;
  const ImportOptions& options_;
  const std::string& file_;
  RunRecords run_;
  std::string device_;
  std::string nccl_version_;
  std::int64_t world_ = 0;
  std::map<std::string_view, const Node*> operators_;
  std::map<std::string_view, std::string_view> operator_of_launch_;
  std::map<std::string_view, Launches> launches_;
  std::map<std::string, std::pair<int, double>> left_out_;
};

}  // namespace

bool is_kineto(std::string_view text) {
  return text.substr(0, 1 << 20).find("\"traceEvents\"") != std::string_view::npos;
}

ImportResult import_kineto(std::string_view text, const std::string& file,
                           const ImportOptions& options) {
  const auto document = base::parse_json(text, file, {dropped});
  if (!document) return tl::unexpected(document.error());
  return Reader(*document, options, file).read(text);
}

}  // namespace calibrate
