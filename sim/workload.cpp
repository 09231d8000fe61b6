#include "sim/workload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <set>
#include <utility>

#include "base/map_reader.hpp"
#include "sim/replay.hpp"
#include "sim/scenario_reader.hpp"

namespace sim {

namespace {

using base::Diagnostics;
using base::MapReader;
using base::Node;
using base::Result;

/// Jobs of a list, or rungs; each is read with a plan of its own.
constexpr std::size_t jobs_max = 1000;
constexpr base::Range<int> gpus_range{1, topology::cluster_gpus_max};

/// Of a Node or a const Node.
auto find_entry(auto& map, std::string_view key) {
  return std::find_if(map.entries.begin(), map.entries.end(),
                      [&](const Node::Entry& entry) { return entry.key == key; });
}

void put(Node& map, const Node::Entry& entry) {
  const auto known = find_entry(map, entry.key);
  if (known != map.entries.end())
    *known = entry;
  else
    map.entries.push_back(entry);
}

/// The scenario of one job: the common keys, with its own model and placement in place of those,
/// and its plan's keys in place of the plan's.
base::Document document_of(const base::Document& all, const Node& job) {
  base::Document document{all.files, Node{}};
  document.root.kind = Node::Kind::map;
  document.root.file = all.root.file;
  document.root.line = job.line;
  document.root.column = job.column;
  for (const Node::Entry& entry : all.root.entries)
    if (entry.key != "jobs" && entry.key != "queue" && entry.key != "name")
      document.root.entries.push_back(entry);
  for (const Node::Entry& own : job.entries) {
    if (own.key == "name" || own.key == "model" || own.key == "placement") put(document.root, own);
    if (own.key != "plan") continue;
    const auto plan = find_entry(document.root, "plan");
    if (plan != document.root.entries.end() && plan->value.kind == Node::Kind::map &&
        own.value.kind == Node::Kind::map)
      for (const Node::Entry& entry : own.value.entries) put(plan->value, entry);
    else
      put(document.root, own);
  }
  return document;
}

class WorkloadLoader {
 public:
  WorkloadLoader(const ScenarioOptions& options, const ScenarioText& text)
      : options_(options), text_(text) {}

  Result<Workload> load() {
    MapReader root(text_.document, text_.document.root, "", problems_);
    workload_.name = std::filesystem::path(options_.path).stem().string();
    root.read("name", workload_.name);
    const Node& jobs = *text_.document.root.find("jobs");
    if (jobs.kind == Node::Kind::map)
      read_replay(*root.map("jobs"));
    else if (jobs.kind == Node::Kind::sequence)
      read_list(root.maps("jobs"), jobs);
    else
      root.error("jobs", "'jobs' is neither a list nor a map",
                 "a list of jobs, or a trace: {trace: FILE, format: FORMAT, map: [{gpus: 8}]}");
    read_queue(root);
    if (!base::has_errors(problems_))
      workload_.replay ? pair_with_rungs(workload_, problems_) : choose_mode();
    if (base::has_errors(problems_)) return tl::unexpected(std::move(problems_));
    for (WorkloadJob& job : workload_.jobs)
      for (base::Diagnostic& note : job.scenario.notes) tell(std::move(note));
    workload_.notes = std::move(problems_);
    return std::move(workload_);
  }

 private:
  /// What all jobs have in common is wrong once.
  void tell(base::Diagnostic problem) {
    if (told_.insert(problem.format()).second) problems_.push_back(std::move(problem));
  }

  void read_list(std::vector<MapReader> readers, const Node& list) {
    if (readers.empty() || readers.size() > jobs_max) {
      problems_.push_back({text_.document.where(list),
                           fmt::format("'jobs' has {} entries", readers.size()),
                           fmt::format("from 1 to {}", jobs_max)});
      return;
    }
    for (std::size_t i = 0; i < readers.size(); ++i) {
      MapReader& reader = readers[i];
      JobDemand job;
      int gpus = 0;
      std::string name = fmt::format("job {}", i + 1);
      reader.read("name", name);
      reader.read("gpus", gpus, gpus_range);
      has_arrival_ |= reader.read("arrival", job.arrival);
      const bool steps = reader.read("steps", job.steps, {1, 1e12});
      if (reader.read("duration", job.duration) && steps)
        reader.error("duration", "'steps' and 'duration' say the same twice", "keep one of them");
      reader.read("priority", job.priority, {-1000, 1000});
      job.placed = reader.find("placement") != nullptr;
      if (job.placed && gpus > 0)
        reader.error("gpus", "'gpus' and 'placement' say the same twice", "keep one of them");
      add(reader, list.items[i], std::move(name), gpus, std::move(job));
    }
  }

  /// Reads the keys that make a scenario of a job, which its reader has not looked at.
  void add(MapReader& reader, const Node& node, std::string name, int gpus, JobDemand job) {
    for (const char* key : {"model", "plan"}) reader.find(key);
    reader.finish();
    job.where = reader.where();
    if (!job.placed && gpus == 0) {
      reader.error("gpus", fmt::format("'{}' has neither 'gpus' nor a 'placement'", name),
                   "say how many GPUs it needs, or which nodes it has");
      return;
    }
    if (!job.placed && cluster_ && !seat(reader, gpus, job)) return;
    Result<Scenario> scenario = read_scenario(
        options_, {document_of(text_.document, node), text_.registry}, {cluster_.get(), gpus});
    if (!scenario) {
      for (base::Diagnostic& problem : scenario.error()) tell(std::move(problem));
      return;
    }
    const bool first = cluster_ == nullptr;
    if (first) cluster_ = std::make_shared<const topology::Cluster>(scenario->cluster);
    if (first && !job.placed && !seat(reader, gpus, job)) return;
    if (!job.placed) {
      scenario->placement = seats_;
      if (!fills_nodes(reader, *scenario, job)) return;
    }
    scenario->name = std::move(name);
    workload_.jobs.push_back({std::move(job), std::move(*scenario)});
  }

  /// The first nodes that the scheduler could give to a job of so many GPUs.
  bool seat(MapReader& reader, int gpus, JobDemand& job) {
    const std::vector<int> usable = queue::usable_gpus(*cluster_);
    const int node_gpus = *std::max_element(usable.begin(), usable.end());
    if (gpus > node_gpus && (node_gpus == 0 || gpus % node_gpus != 0)) {
      reader.error("gpus", fmt::format("{} GPUs are no whole nodes of {}", gpus, node_gpus),
                   "part of one node, or whole ones");
      return false;
    }
    job.request = {std::max(1, gpus / node_gpus), std::min(gpus, node_gpus)};
    seats_ = {{}, job.request.gpus};
    for (std::size_t i = 0; i < usable.size(); ++i)
      if (static_cast<int>(seats_.nodes.size()) < job.request.nodes &&
          usable[i] >= job.request.gpus)
        seats_.nodes.push_back(static_cast<int>(i));
    if (static_cast<int>(seats_.nodes.size()) == job.request.nodes) return true;
    reader.error("gpus", fmt::format("{} GPUs are more than the cluster can give to one job", gpus),
                 "");
    return false;
  }

  /// Of nodes that its plan leaves idle a job needs none.
  bool fills_nodes(MapReader& reader, const Scenario& scenario, JobDemand& job) {
    const int ranks = scenario.plan.ranks();
    const int each = job.request.gpus;
    job.request.nodes = std::max(1, ranks / each);
    if (ranks <= each || ranks % each == 0) return true;
    reader.error(
        "gpus",
        fmt::format("the plan has {} ranks, which fill no whole nodes of {} GPUs", ranks, each),
        "change 'data_parallel', or leave it out");
    return false;
  }

  void read_queue(MapReader& root) {
    auto queue = root.map("queue");
    if (!queue) return;
    has_queue_ = true;
    std::vector<base::PlacedText> names;
    queue->read("policy", names);
    queue->read("backfill", workload_.backfill);
    queue->finish();
    std::vector<std::string_view> known;
    for (const queue::Policy& policy : queue::policies()) known.push_back(policy.name);
    for (const base::PlacedText& name : names) {
      const queue::Policy* policy = queue::find_policy(name.text);
      if (policy == nullptr)
        problems_.push_back({name.where, fmt::format("unknown policy '{}'", name.text),
                             base::suggest(name.text, known)});
      else
        workload_.policies.push_back(policy);
    }
  }

  /// Jobs that all have their nodes and come at no time of their own are played at once.
  void choose_mode() {
    const std::vector<WorkloadJob>& jobs = workload_.jobs;
    const bool all_placed =
        std::all_of(jobs.begin(), jobs.end(), [](const WorkloadJob& job) { return job.placed; });
    if (!all_placed || has_arrival_ || has_queue_) {
      for (const WorkloadJob& job : jobs)
        if (job.placed)
          problems_.push_back({job.where, "a job of a queue is placed by the queue's policy",
                               "say 'gpus' in place of 'placement', or place all jobs and give no "
                               "'arrival' and no 'queue'"});
      if (workload_.policies.empty()) workload_.policies = {queue::find_policy("best-fit")};
      return;
    }
    std::vector<const WorkloadJob*> owner(static_cast<std::size_t>(cluster_->gpu_count()));
    for (const WorkloadJob& job : jobs)
      for (const topology::GpuId gpu : place_ranks(job.scenario)) {
        const WorkloadJob*& other = owner[gpu];
        if (other != nullptr) {
          const auto node = static_cast<std::size_t>(cluster_->node_of(gpu));
          problems_.push_back(
              {job.where, fmt::format("'{}' and '{}' both have GPUs of {}", other->scenario.name,
                                      job.scenario.name, cluster_->nodes()[node].name)});
          break;
        }
        other = &job;
      }
  }

  // Traces ---------------------------------------------------------------------------------------

  void read_replay(MapReader reader) {
    std::vector<base::PlacedText> files;
    std::vector<std::string_view> names;
    for (const trace::Format& format : trace::formats()) names.push_back(format.name);
    std::string word;
    reader.require("trace", files);
    const bool known = reader.require("format", word);
    const auto format = std::find(names.begin(), names.end(), word) - names.begin();
    if (known && static_cast<std::size_t>(format) == names.size())
      reader.error("format", fmt::format("unknown format '{}'", word), base::suggest(word, names));
    else if (known && !files.empty())
      read_trace(reader, files, trace::formats()[static_cast<std::size_t>(format)]);
    const Node* map = reader.find("map");
    std::vector<MapReader> rungs = reader.maps("map");
    if (map == nullptr || (map->kind == Node::Kind::sequence && rungs.empty()))
      reader.error("map", "'map' is missing: which plan stands for jobs of how many GPUs",
                   "map: [{gpus: 8}, {gpus: 16, plan: {pipeline_parallel: 2}}]");
    else if (rungs.size() > jobs_max)
      reader.error("map", fmt::format("'map' has {} entries", rungs.size()));
    else
      for (std::size_t i = 0; i < rungs.size(); ++i) {
        int gpus = 0;
        rungs[i].require("gpus", gpus, gpus_range);
        if (gpus > 0) add(rungs[i], map->items[i], fmt::format("{} GPUs", gpus), gpus, {});
      }
    reader.finish();
  }

  void read_trace(MapReader& reader, const std::vector<base::PlacedText>& files,
                  const trace::Format& format) {
    if (files.size() != format.tables) {
      reader.error(
          "trace",
          fmt::format("{} takes {} files, not {}", format.name, format.tables, files.size()),
          std::string(format.what));
      return;
    }
    std::vector<base::Csv> tables;
    for (const base::PlacedText& one : files) {
      const std::string file =
          (std::filesystem::path(options_.path).parent_path() / one.text).string();
      const auto text = base::read_file(file);
      if (!text) {
        problems_.push_back({one.where, fmt::format("'{}' {}", file, text.error().front().message),
                             text.error().front().hint});
        continue;
      }
      auto table = base::parse_csv(*text, file);
      if (table)
        tables.push_back(std::move(*table));
      else
        for (base::Diagnostic& problem : table.error()) tell(std::move(problem));
    }
    if (tables.size() < files.size()) return;
    auto trace = format.read(tables);
    if (!trace) {
      for (base::Diagnostic& problem : trace.error()) tell(std::move(problem));
      return;
    }
    if (trace->jobs.empty())
      reader.error("trace", "no job of the trace can be played", "see the notes on it");
    for (const base::Diagnostic& note : trace->notes) tell(note);
    workload_.replay = Replay{files.front().text, std::string(format.name), std::move(*trace), {}};
  }

  const ScenarioOptions& options_;
  const ScenarioText& text_;
  Diagnostics problems_;
  std::set<std::string> told_;
  std::shared_ptr<const topology::Cluster> cluster_;
  Placement seats_;
  bool has_arrival_ = false;
  bool has_queue_ = false;
  Workload workload_;
};

}  // namespace

Result<std::variant<Scenario, Workload>> load(const ScenarioOptions& options) {
  using Loaded = std::variant<Scenario, Workload>;
  auto text = read_scenario_text(options);
  if (!text) return tl::unexpected(std::move(text.error()));
  if (text->document.root.find("jobs") == nullptr)
    return read_scenario(options, std::move(*text), {}).map([](Scenario scenario) {
      return Loaded(std::move(scenario));
    });
  return WorkloadLoader(options, *text).load().map([](Workload workload) {
    return Loaded(std::move(workload));
  });
}

}  // namespace sim
