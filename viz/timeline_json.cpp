#include "viz/timeline_json.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>
#include <tuple>
#include <utility>

#include "sim/critical_path.hpp"
#include "sim/piece_times.hpp"
#include "viz/shown_programs.hpp"

namespace viz {

namespace {

using Json = nlohmann::ordered_json;
using Nanoseconds = std::int64_t;

constexpr std::string_view wait = "wait";

Nanoseconds at(double seconds) {
  constexpr double longest_s = 9e9;  // 285 years still fit
  return seconds > 0 ? std::llround(std::min(seconds, longest_s) * 1e9) : 0;
}

std::string text_of(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

/// Numbers texts in the order in which they come.
class Names {
 public:
  int of(std::string_view name) {
    const auto [entry, is_new] = index_.emplace(name, static_cast<int>(names_.size()));
    if (is_new) names_.emplace_back(name);
    return entry->second;
  }
  const std::vector<std::string>& all() const { return names_; }

 private:
  std::map<std::string, int, std::less<>> index_;
  std::vector<std::string> names_;
};

/// The spans of one stream as columns.
struct Columns {
  std::vector<int> name, kind, micro_batch, chunk, segment;
  std::vector<Nanoseconds> gap, length;
  std::vector<std::int64_t> bytes;
  std::vector<int> critical;  // places of those on the critical path
  Nanoseconds last = 0;

  void add(int name_index, int kind_index, Nanoseconds begin, Nanoseconds end,
           const sim::Task& task, int segment_index, std::int64_t moved) {
    name.push_back(name_index);
    kind.push_back(kind_index);
    gap.push_back(begin - last);
    length.push_back(end - begin);
    micro_batch.push_back(task.micro_batch);
    chunk.push_back(task.chunk);
    segment.push_back(segment_index);
    bytes.push_back(moved);
    last = end;
  }
  void mark_next() { critical.push_back(static_cast<int>(name.size())); }
  Json json(sim::Stream stream) const {
    return {{"name", sim::name_of(stream)},
            {"names", name},
            {"kinds", kind},
            {"gap_ns", gap},
            {"length_ns", length},
            {"micro_batches", micro_batch},
            {"chunks", chunk},
            {"segments", segment},
            {"bytes", bytes},
            {"critical", critical}};
  }
};

class TimelineWriter {
 public:
  explicit TimelineWriter(const sim::StepGraph& graph)
      : graph_(graph), shown_(shown_programs(graph)) {}

  void add(const sim::Timeline& timeline, bool executed) {
    if (!executed)
      for (const sim::PathStep& step : sim::critical_path(graph_, timeline))
        critical_.emplace(graph_.program_of_rank[static_cast<std::size_t>(step.rank)], step.task);
    for (const ShownProgram& shown : shown_) add_class(shown, timeline, executed);
    if (!executed) add_messages(timeline);
  }

  std::string text(const std::string& scenario, const sim::Timeline& timeline) && {
    return text_of({{"schema", "foreshard.timeline.v1"},
                    {"scenario", scenario},
                    {"step_time_s", timeline.step.s()},
                    {"names", names_.all()},
                    {"kinds", kinds_.all()},
                    {"classes", std::move(classes_)},
                    {"messages", std::move(messages_)}});
  }

 private:
  const sim::Program& program(const ShownProgram& shown) const {
    return graph_.programs[static_cast<std::size_t>(shown.program)];
  }

  void add_class(const ShownProgram& shown, const sim::Timeline& timeline, bool executed) {
    std::map<sim::Stream, Columns> streams;
    std::set<std::uint32_t> segments;
    const std::vector<sim::Task>& tasks = program(shown).tasks;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      const sim::Task& task = tasks[i];
      const sim::Span& span = timeline.span(shown.rank, static_cast<std::uint32_t>(i));
      Columns& stream = streams[task.stream];
      const Nanoseconds ready = std::max(at(span.ready), stream.last);
      const Nanoseconds begin = std::max(at(span.begin), ready);
      const Nanoseconds end = std::max(at(span.end), begin);
      const bool critical =
          !executed && critical_.contains({shown.program, static_cast<std::uint32_t>(i)});
      if (task.kind == sim::TaskKind::run) {
        const sim::Segment& segment = graph_.segments[task.index];
        segments.insert(task.index);
        if (critical) stream.mark_next();
        stream.add(names_.of(segment.name), kinds_.of(sim::name_of(segment.phase)), begin, end,
                   task, static_cast<int>(task.index), 0);
        continue;
      }
      const Moved moved = moved_by(graph_, task);
      const int name = names_.of(moved.name);
      if (begin > ready) stream.add(name, kinds_.of(wait), ready, begin, task, -1, 0);
      if (critical) stream.mark_next();
      stream.add(name, kinds_.of(sim::name_of(moved.kind)), begin, end, task, -1,
                 moved.bytes.count());
    }
    Json written = Json::array();
    for (const auto& [stream, columns] : streams) written.push_back(columns.json(stream));
    Json one{{"name", program(shown).name},
             {"rank", shown.rank},
             {"ranks", shown.ranks},
             {"stage", graph_.grid.coordinate(shown.rank, strategies::Axis::pipeline)},
             {"executed", executed},
             {"streams", std::move(written)}};
    // What an executor measures inside a segment is not what the forecast scales.
    if (!executed) {
      one["segments"] = Json::array();
      for (const std::uint32_t segment : segments)
        one["segments"].push_back(pieces(segment, shown.rank));
      one["memory"] = memory(shown, timeline);
    }
    classes_.push_back(std::move(one));
  }

  Json pieces(std::uint32_t index, int rank) {
    const sim::Segment& segment = graph_.segments[index];
    const sim::PieceCosts costs = sim::costs_of(graph_, segment, rank);
    std::vector<int> name;
    std::vector<int> kind;
    std::vector<std::int64_t> bytes;
    std::vector<Nanoseconds> kernels;
    std::vector<Nanoseconds> waits;
    for (std::size_t i = 0; i < segment.pieces.size(); ++i) {
      const sim::Piece& piece = segment.pieces[i];
      std::string_view category = sim::name_of(piece.phase);
      std::int64_t moved = 0;
      if (piece.collective >= 0) {
        const auto& use = graph_.collectives[static_cast<std::size_t>(piece.collective)];
        moved = use.bytes.count();
        if (piece.compute <= base::Seconds()) category = sim::name_of(use.kind);
      }
      name.push_back(names_.of(graph_.labels[piece.label]));
      kind.push_back(kinds_.of(category));
      bytes.push_back(moved);
      kernels.push_back(at(costs.kernels[i]));
      waits.push_back(at(costs.waits[i]));
    }
    return {{"segment", index}, {"names", name},        {"kinds", kind},
            {"bytes", bytes},   {"kernel_ns", kernels}, {"beyond_ns", waits}};
  }

  /// Bytes held over time, of the class's lowest rank.
  Json memory(const ShownProgram& shown, const sim::Timeline& timeline) const {
    std::int64_t bytes = 0;
    for (const sim::HeldMemory& held : program(shown).held) bytes += held.bytes.count();
    std::map<Nanoseconds, std::int64_t> changes{{0, bytes}};
    for (const sim::MemoryEvent& event : program(shown).memory) {
      const sim::Span& span = timeline.span(shown.rank, event.task);
      changes[at(event.at_end ? span.end : span.begin)] += event.delta_bytes;
    }
    std::vector<Nanoseconds> times;
    std::vector<std::int64_t> used;
    bytes = 0;
    for (const auto& [time, change] : changes) {
      bytes += change;
      times.push_back(time);
      used.push_back(bytes);
    }
    return {{"time_ns", times}, {"used_bytes", used}};
  }

  using Key = std::tuple<int, int, std::string, int, int>;  // rank, peer, name, micro-batch, chunk

  /// Messages whose two ends are both shown.
  void add_messages(const sim::Timeline& timeline) {
    std::map<Key, std::pair<int, Nanoseconds>> ends;
    const auto each = [&](sim::TaskKind kind, const auto& act) {
      for (std::size_t c = 0; c < shown_.size(); ++c) {
        const std::vector<sim::Task>& tasks = program(shown_[c]).tasks;
        for (std::size_t i = 0; i < tasks.size(); ++i)
          if (tasks[i].kind == kind)
            act(static_cast<int>(c), shown_[c].rank, tasks[i], graph_.messages[tasks[i].index],
                timeline.span(shown_[c].rank, static_cast<std::uint32_t>(i)));
      }
    };
    const auto peer = [&](int rank, const sim::Message& message) {
      return graph_.grid.moved(rank, strategies::Axis::pipeline, message.peer_stage);
    };
    each(sim::TaskKind::receive, [&](int shown, int rank, const sim::Task& task,
                                     const sim::Message& message, const sim::Span& span) {
      ends[{peer(rank, message), rank, message.name, task.micro_batch, message.sender_chunk}] = {
          shown, at(span.end)};
    });
    std::vector<int> from, to, name;
    std::vector<Nanoseconds> begin, end;
    each(sim::TaskKind::send, [&](int shown, int rank, const sim::Task& task,
                                  const sim::Message& message, const sim::Span& span) {
      const auto found = ends.find(
          {rank, peer(rank, message), message.name, task.micro_batch, message.sender_chunk});
      if (found == ends.end()) return;
      from.push_back(shown);
      to.push_back(found->second.first);
      name.push_back(names_.of(message.name));
      begin.push_back(at(span.begin));
      end.push_back(found->second.second);
    });
    messages_ = {{"from", from}, {"to", to}, {"names", name}, {"begin_ns", begin}, {"end_ns", end}};
  }

  const sim::StepGraph& graph_;
  std::vector<ShownProgram> shown_;
  std::set<std::pair<int, std::uint32_t>> critical_;  // program, task
  Names names_;
  Names kinds_;
  Json classes_ = Json::array();
  Json messages_;
};

}  // namespace

std::string timeline_json(const std::string& scenario, const sim::StepGraph& graph,
                          const sim::Timeline& timeline) {
  TimelineWriter writer(graph);
  writer.add(timeline, false);
  return std::move(writer).text(scenario, timeline);
}

std::string timeline_json(const std::string& scenario, const sim::StepGraph& graph,
                          const sim::Timeline& timeline,
                          const std::vector<sim::RankStep>& executed) {
  TimelineWriter writer(graph);
  writer.add(timeline, false);
  writer.add(sim::timeline_of(executed), true);
  return std::move(writer).text(scenario, timeline);
}

std::string ranks_json(const sim::StepGraph& graph, const topology::Cluster& cluster,
                       const std::vector<topology::GpuId>& gpu_of_rank) {
  std::vector<int> nodes;
  std::vector<int> gpus;
  for (const topology::GpuId gpu : gpu_of_rank) {
    const int node = cluster.node_of(gpu);
    nodes.push_back(node);
    gpus.push_back(static_cast<int>(gpu) -
                   static_cast<int>(cluster.nodes()[static_cast<std::size_t>(node)].first_gpu));
  }
  Json names = Json::array();
  for (const topology::NodeInfo& node : cluster.nodes()) names.push_back(node.name);
  Json communicators = Json::array();
  const auto add = [&](strategies::AxisSet axes) {
    std::vector<int> group;
    for (int rank = 0; rank < graph.grid.size(); ++rank)
      group.push_back(graph.grid.group_of(rank, axes));
    communicators.push_back({{"name", strategies::name_of(axes)},
                             {"ranks", graph.grid.extent(axes)},
                             {"groups", std::move(group)}});
  };
  for (const sim::StepGraph::Groups& groups : graph.groups) add(groups.axes);
  if (!graph.messages.empty()) add(strategies::Axis::pipeline);
  return text_of({{"schema", "foreshard.ranks.v1"},
                  {"nodes", std::move(names)},
                  {"node_of_rank", std::move(nodes)},
                  {"gpu_of_rank", std::move(gpus)},
                  {"communicators", std::move(communicators)}});
}

}  // namespace viz
