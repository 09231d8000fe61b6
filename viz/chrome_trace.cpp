#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "sim/piece_times.hpp"
#include "viz/shown_programs.hpp"
#include "viz/viz.hpp"

namespace viz {

namespace {

/// Whole nanoseconds: the viewer's own clock, so that neighbours touch and never overlap.
using Nanoseconds = std::int64_t;

Nanoseconds at(double seconds) {
  constexpr double longest_s = 9e9;  // 285 years still fit
  return seconds > 0 ? std::llround(std::min(seconds, longest_s) * 1e9) : 0;
}

/// A name as JSON text; bytes that are no UTF-8 become U+FFFD.
std::string json_text(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string_view colour_of(sim::Phase phase) {
  switch (phase) {
    case sim::Phase::forward: return "good";
    case sim::Phase::backward: return "rail_response";
    case sim::Phase::recompute: return "rail_animation";
    case sim::Phase::optimizer: return "olive";
    case sim::Phase::communication: return "yellow";
    case sim::Phase::host: return "grey";
    case sim::Phase::allocator: return "terrible";
  }
  return "grey";
}

std::string_view colour_of(sim::CommKind kind) {
  switch (kind) {
    case sim::CommKind::tensor: return "yellow";
    case sim::CommKind::context: return "rail_idle";
    case sim::CommKind::expert: return "rail_load";
    case sim::CommKind::data: return "bad";
    case sim::CommKind::parameter: return "thread_state_iowait";
    case sim::CommKind::pipeline: return "thread_state_runnable";
    case sim::CommKind::other: return "grey";
  }
  return "grey";
}

/// One line of the trace. Events are sorted by time, outer slices before those inside them.
struct Event {
  Nanoseconds time = 0;
  int depth = 0;
  std::string text;
};

class TraceWriter {
 public:
  TraceWriter(const sim::StepGraph& graph, const sim::Timeline& timeline)
      : graph_(graph), timeline_(timeline), shown_(shown_programs(graph)) {}
  /// An executed step, drawn behind a forecast of it.
  TraceWriter(const sim::StepGraph& graph, const sim::Timeline& timeline,
              const std::vector<sim::RankStep>& executed)
      : graph_(graph),
        timeline_(timeline),
        executed_(&executed),
        shown_(shown_programs(graph)),
        first_pid_(static_cast<int>(graph.programs.size()) + 1) {}

  /// All events.
  std::vector<Event> events() {
    for (const ShownProgram& shown : shown_) {
      describe(shown);
      tasks(shown);
      memory(shown);
      traffic(shown);
    }
    collect_receives();
    for (const ShownProgram& shown : shown_) arrows(shown);
    return std::move(events_);
  }

  /// A process of their own behind the programs, with a counter each. Values that stay are not said
  /// again.
  void link_loads(const std::vector<LinkCounter>& links) {
    if (links.empty()) return;
    const int pid = first_pid_ + static_cast<int>(graph_.programs.size());
    add('M', 0, pid, 0, R"("name":"process_name","args":{"name":"busiest links"})", -1);
    for (const LinkCounter& link : links) {
      const std::size_t intervals = link.thousandths.size();
      const std::string name = json_text(link.name);
      for (std::size_t i = 0; i < intervals; ++i) {
        if (i > 0 && link.thousandths[i] == link.thousandths[i - 1]) continue;
        const double begin =
            timeline_.step.s() * static_cast<double>(i) / static_cast<double>(intervals);
        add('C', at(begin), pid, 0,
            fmt::format(R"("name":{},"args":{{"percent":{}.{}}})", name, link.thousandths[i] / 10,
                        link.thousandths[i] % 10),
            0);
      }
    }
  }

 private:
  static constexpr int tid_of(sim::Stream stream) { return static_cast<int>(stream) + 1; }
  int pid_of(const ShownProgram& shown) const { return first_pid_ + shown.program; }

  const sim::Program& program(const ShownProgram& shown) const {
    return graph_.programs[static_cast<std::size_t>(shown.program)];
  }

  /// Adds `{"ph":…,"ts":…,"pid":…,"tid":…,REST}`.
  void add(char phase, Nanoseconds time, int pid, int tid, std::string_view rest, int depth) {
    events_.push_back({time, depth,
                       fmt::format(R"({{"ph":"{}","ts":{}.{:03},"pid":{},"tid":{},{}}})", phase,
                                   time / 1000, time % 1000, pid, tid, rest)});
  }

  void slice(const ShownProgram& shown, sim::Stream stream, Nanoseconds begin, Nanoseconds end,
             int depth, std::string_view rest) {
    const Nanoseconds length = end - begin;
    add('X', begin, pid_of(shown), tid_of(stream),
        fmt::format(R"("dur":{}.{:03},{})", length / 1000, length % 1000, rest), depth);
  }

  void describe(const ShownProgram& shown) {
    const int pid = pid_of(shown);
    const auto name = [&](int tid, std::string_view what, std::string_view value) {
      add('M', 0, pid, tid, fmt::format(R"("name":"{}","args":{{"name":{}}})", what, value), -1);
    };
    const auto sort = [&](int tid, std::string_view what, int index) {
      add('M', 0, pid, tid, fmt::format(R"("name":"{}","args":{{"sort_index":{}}})", what, index),
          -1);
    };
    name(0, "process_name",
         json_text(fmt::format("{}{} (rank {}, {} rank{})",
                               executed_ == nullptr ? "" : "executed: ", program(shown).name,
                               shown.rank, shown.ranks, shown.ranks == 1 ? "" : "s")));
    sort(0, "process_sort_index", pid_of(shown) - 1);
    std::array<bool, sim::stream_count> used{};
    for (const sim::Task& task : program(shown).tasks)
      used[static_cast<std::size_t>(task.stream)] = true;
    for (int i = 0; i < sim::stream_count; ++i) {
      const auto stream = static_cast<sim::Stream>(i);
      if (!used[static_cast<std::size_t>(i)]) continue;
      name(tid_of(stream), "thread_name", json_text(sim::name_of(stream)));
      sort(tid_of(stream), "thread_sort_index", i);
    }
  }

  void tasks(const ShownProgram& shown) {
    std::array<Nanoseconds, sim::stream_count> free{};  // end of the last slice of each thread
    const std::vector<sim::Task>& tasks = program(shown).tasks;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      const sim::Task& task = tasks[i];
      const sim::Span& span = timeline_.span(shown.rank, static_cast<std::uint32_t>(i));
      Nanoseconds& last = free[static_cast<std::size_t>(task.stream)];
      const Nanoseconds ready = std::max(at(span.ready), last);
      const Nanoseconds begin = std::max(at(span.begin), ready);
      last = std::max(at(span.end), begin);
      if (task.kind == sim::TaskKind::run)
        segment(shown, i, begin, last);
      else
        transfer(shown, task, ready, begin, last);
    }
  }

  static std::string numbered(std::string_view name, const sim::Task& task) {
    if (task.micro_batch < 0) return json_text(name);
    if (task.beside >= 0)
      return json_text(fmt::format("{} #{} and #{}", name, task.micro_batch, task.beside));
    return json_text(fmt::format("{} #{}", name, task.micro_batch));
  }

  /// A segment with its pieces inside it.
  void segment(const ShownProgram& shown, std::size_t index, Nanoseconds begin, Nanoseconds end) {
    const sim::Task& task = program(shown).tasks[index];
    const sim::Segment& segment = graph_.segments[task.index];
    slice(shown, task.stream, begin, end, 0,
          fmt::format(R"("name":{},"cat":"{}","cname":"{}","args":{{"micro_batch":{},"chunk":{}}})",
                      numbered(segment.name, task), sim::name_of(segment.phase),
                      colour_of(segment.phase), task.micro_batch, task.chunk));
    const std::vector<double> lengths =
        executed_ != nullptr
            ? measured_lengths((*executed_)[static_cast<std::size_t>(shown.rank)].pieces[index])
            : sim::piece_lengths(graph_, segment, shown.rank,
                                 static_cast<double>(end - begin) * 1e-9);
    double elapsed = 0;
    Nanoseconds from = begin;
    for (std::size_t i = 0; i < lengths.size(); ++i) {
      elapsed += lengths[i];
      const Nanoseconds to =
          i + 1 == lengths.size() ? end : std::clamp(begin + at(elapsed), from, end);
      piece(shown, task, segment.pieces[i], from, to);
      from = to;
    }
  }

  static std::vector<double> measured_lengths(const std::vector<sim::PieceTime>& pieces) {
    std::vector<double> lengths;
    for (const sim::PieceTime& piece : pieces)
      lengths.push_back(piece.compute + piece.communication);
    return lengths;
  }

  void piece(const ShownProgram& shown, const sim::Task& task, const sim::Piece& piece,
             Nanoseconds from, Nanoseconds to) {
    std::string_view category = sim::name_of(piece.phase);
    std::string_view colour = colour_of(piece.phase);
    std::string args = fmt::format(R"("micro_batch":{})", task.micro_batch);
    if (piece.collective >= 0) {
      const auto& use = graph_.collectives[static_cast<std::size_t>(piece.collective)];
      args += fmt::format(R"(,"collective":{},"bytes":{})", json_text(use.name), use.bytes.count());
      if (piece.compute <= base::Seconds()) {
        category = sim::name_of(use.kind);
        colour = colour_of(use.kind);
      }
    }
    if (piece.compute > base::Seconds())
      args += fmt::format(R"(,"source":{})",
                          json_text(graph_.sources[static_cast<std::size_t>(piece.source)]));
    slice(shown, task.stream, from, to, 1,
          fmt::format(R"("name":{},"cat":"{}","cname":"{}","args":{{{}}})",
                      json_text(graph_.labels[piece.label]), category, colour, args));
  }

  /// A collective, copy or message: first the waiting for the others, then the transfer.
  void transfer(const ShownProgram& shown, const sim::Task& task, Nanoseconds ready,
                Nanoseconds begin, Nanoseconds end) {
    const auto [name, bytes, kind] = moved_by(graph_, task);
    if (begin > ready)
      slice(shown, task.stream, ready, begin, 0,
            fmt::format(R"("name":{},"cat":"wait","cname":"grey","args":{{"micro_batch":{}}})",
                        numbered("wait: " + name, task), task.micro_batch));
    slice(shown, task.stream, begin, end, 0,
          fmt::format(R"("name":{},"cat":"{}","cname":"{}","args":{{"micro_batch":{},"bytes":{}}})",
                      numbered(name, task), sim::name_of(kind), colour_of(kind), task.micro_batch,
                      bytes.count()));
  }

  /// Memory over time: what the step holds throughout, and what its tasks take and give back.
  void memory(const ShownProgram& shown) {
    std::int64_t bytes = 0;
    for (const sim::HeldMemory& held : program(shown).held) bytes += held.bytes.count();
    std::map<Nanoseconds, std::int64_t> changes{{0, bytes}};
    for (const sim::MemoryEvent& event : program(shown).memory) {
      const sim::Span& span = timeline_.span(shown.rank, event.task);
      changes[at(event.at_end ? span.end : span.begin)] += event.delta_bytes;
    }
    bytes = 0;
    for (const auto& [time, change] : changes) {
      bytes += change;
      add('C', time, pid_of(shown), 0,
          fmt::format(R"("name":"memory","args":{{"bytes":{}}})", bytes), 0);
    }
  }

  /// Bytes over time of what is under way beside the compute stream: its bytes over its length.
  /// What a rank receives is counted where it is sent; collectives inside segments are slices
  /// there.
  void traffic(const ShownProgram& shown) {
    std::map<Nanoseconds, double> changes;
    const std::vector<sim::Task>& tasks = program(shown).tasks;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      if (tasks[i].kind == sim::TaskKind::run || tasks[i].kind == sim::TaskKind::receive) continue;
      const sim::Span& span = timeline_.span(shown.rank, static_cast<std::uint32_t>(i));
      const Nanoseconds begin = at(span.begin);
      const Nanoseconds end = at(span.end);
      if (end <= begin) continue;
      const double rate =
          moved_by(graph_, tasks[i]).bytes.as_double() / (static_cast<double>(end - begin) * 1e-9);
      changes[begin] += rate;
      changes[end] -= rate;
    }
    double rate = 0;
    for (const auto& [time, change] : changes) {
      rate += change;
      add('C', time, pid_of(shown), 0,
          fmt::format(R"("name":"transfers","args":{{"bytes_per_s":{}}})",
                      std::max<std::int64_t>(0, std::llround(rate))),
          0);
    }
  }

  using MessageKey = std::tuple<int, std::string, int, int, int>;

  /// What a send and its receive agree on, with the receiving program.
  static MessageKey key_of(int receiver, const sim::Message& message, int micro_batch,
                           int sending_stage) {
    return {receiver, message.name, micro_batch, message.sender_chunk, sending_stage};
  }

  /// The program shown for the stage that `message` of `shown` names, when it is the very rank
  /// that the message goes to.
  std::optional<int> peer_of(const ShownProgram& shown, const sim::Message& message) const {
    const int rank = graph_.grid.moved(shown.rank, strategies::Axis::pipeline, message.peer_stage);
    for (const ShownProgram& other : shown_)
      if (other.rank == rank) return other.program;
    return std::nullopt;
  }

  int stage_of(const ShownProgram& shown) const {
    return graph_.grid.coordinate(shown.rank, strategies::Axis::pipeline);
  }

  struct End {
    int pid = 0;
    int tid = 0;
    Nanoseconds time = 0;
  };

  /// Where the arrows of all shown messages end.
  void collect_receives() {
    for (const ShownProgram& shown : shown_) {
      const std::vector<sim::Task>& tasks = program(shown).tasks;
      for (std::size_t i = 0; i < tasks.size(); ++i) {
        if (tasks[i].kind != sim::TaskKind::receive) continue;
        const sim::Message& message = graph_.messages[tasks[i].index];
        const sim::Span& span = timeline_.span(shown.rank, static_cast<std::uint32_t>(i));
        // One nanosecond before its end the receive is still the slice around the arrow's tip.
        receives_[key_of(shown.program, message, tasks[i].micro_batch, message.peer_stage)] = {
            pid_of(shown), tid_of(tasks[i].stream), std::max(at(span.begin), at(span.end) - 1)};
      }
    }
  }

  void arrows(const ShownProgram& shown) {
    const std::vector<sim::Task>& tasks = program(shown).tasks;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      if (tasks[i].kind != sim::TaskKind::send) continue;
      const sim::Message& message = graph_.messages[tasks[i].index];
      const std::optional<int> peer = peer_of(shown, message);
      if (!peer) continue;
      const auto end =
          receives_.find(key_of(*peer, message, tasks[i].micro_batch, stage_of(shown)));
      if (end == receives_.end()) continue;
      const sim::Span& span = timeline_.span(shown.rank, static_cast<std::uint32_t>(i));
      const std::string rest =
          fmt::format(R"("name":{},"cat":"{}message","id":{})", json_text(message.name),
                      executed_ == nullptr ? "" : "executed ", ++arrows_);
      add('s', at(span.begin), pid_of(shown), tid_of(tasks[i].stream), rest, 2);
      add('f', end->second.time, end->second.pid, end->second.tid, R"("bp":"e",)" + rest, 2);
    }
  }

  const sim::StepGraph& graph_;
  const sim::Timeline& timeline_;
  const std::vector<sim::RankStep>* executed_ = nullptr;
  std::vector<ShownProgram> shown_;
  int first_pid_ = 1;
  std::vector<Event> events_;
  std::map<MessageKey, End> receives_;
  int arrows_ = 0;
};

std::string trace_of(std::vector<Event> events) {
  std::stable_sort(events.begin(), events.end(), [](const Event& a, const Event& b) {
    return std::tie(a.time, a.depth) < std::tie(b.time, b.depth);
  });
  std::string out = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n";
  for (std::size_t i = 0; i < events.size(); ++i)
    out += events[i].text + (i + 1 < events.size() ? ",\n" : "\n");
  return out + "]}\n";
}

}  // namespace

std::string chrome_trace(const sim::StepGraph& graph, const sim::Timeline& timeline,
                         const std::vector<LinkCounter>& links) {
  TraceWriter writer(graph, timeline);
  writer.link_loads(links);
  return trace_of(writer.events());
}

std::string chrome_trace(const sim::StepGraph& graph, const sim::Timeline& timeline,
                         const std::vector<sim::RankStep>& executed) {
  std::vector<Event> events = TraceWriter(graph, timeline).events();
  const sim::Timeline measured = sim::timeline_of(executed);
  for (Event& event : TraceWriter(graph, measured, executed).events())
    events.push_back(std::move(event));
  return trace_of(std::move(events));
}

}  // namespace viz
