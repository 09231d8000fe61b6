#include "sim/critical_path.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/check.hpp"
#include "sim/exposure.hpp"

namespace sim {

namespace {

using base::Seconds;
using strategies::Axis;
using strategies::AxisSet;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

/// What a program's tasks are found by.
struct ProgramIndex {
  using Subject = std::pair<TaskKind, std::uint32_t>;
  using SendKey = std::tuple<std::string_view, int, int, int>;  // name, micro-batch, chunk, peer

  std::vector<int> before;                // on the stream of a task; -1: it is the first
  std::vector<std::uint32_t> occurrence;  // of a task among those of its subject
  std::map<Subject, std::vector<std::uint32_t>> of_subject;
  std::map<SendKey, std::uint32_t> sends;
};

ProgramIndex index_of(const StepGraph& graph, const Program& program) {
  ProgramIndex index;
  std::array<int, stream_count> last;
  last.fill(-1);
  for (std::uint32_t i = 0; i < program.tasks.size(); ++i) {
    const Task& task = program.tasks[i];
    int& previous = last[static_cast<std::size_t>(task.stream)];
    index.before.push_back(previous);
    previous = static_cast<int>(i);
    std::vector<std::uint32_t>& alike = index.of_subject[{task.kind, task.index}];
    index.occurrence.push_back(static_cast<std::uint32_t>(alike.size()));
    alike.push_back(i);
    if (task.kind != TaskKind::send) continue;
    const Message& message = graph.messages[task.index];
    index.sends[{message.name, task.micro_batch, message.sender_chunk, message.peer_stage}] = i;
  }
  return index;
}

/// Ranks whose spans are those of the lowest rank of their program are that rank.
class Shown {
 public:
  Shown(const StepGraph& graph, const Timeline& timeline) : graph_(graph), timeline_(timeline) {
    lowest_.assign(graph.programs.size(), -1);
    for (int rank = 0; rank < graph.grid.size(); ++rank) {
      int& lowest = lowest_[graph.program_of_rank[at(rank)]];
      if (lowest < 0) lowest = rank;
    }
  }
  int of(int rank) const {
    const int lowest = lowest_[graph_.program_of_rank[at(rank)]];
    return timeline_.first_span[at(rank)] == timeline_.first_span[at(lowest)] ? lowest : rank;
  }
  bool shows(int rank) const { return lowest_[graph_.program_of_rank[at(rank)]] == rank; }

 private:
  const StepGraph& graph_;
  const Timeline& timeline_;
  std::vector<int> lowest_;  // by program
};

class PathFinder {
 public:
  PathFinder(const StepGraph& graph, const Timeline& timeline)
      : graph_(graph), timeline_(timeline), shown_(graph, timeline) {
    for (const Program& program : graph.programs) index_.push_back(index_of(graph, program));
  }

  std::vector<PathStep> find() {
    double now = timeline_.step.s();
    for (std::optional<Place> place = last(); place;) {
      if (const auto from = sender(*place)) place = from;
      const Span& span = span_of(*place);
      if (!path_.empty()) path_.back().waited += now - span.end;
      path_.push_back({place->rank, place->task, span.begin, span.end, 0});
      if (span.begin > span.ready) place = latest_member(*place);
      now = span_of(*place).ready;
      path_.back().waited += span.begin - now;
      const std::optional<Place> before = latest_before(*place);
      if (!before) path_.back().waited += now;
      place = before;
    }
    std::reverse(path_.begin(), path_.end());
    return std::move(path_);
  }

 private:
  struct Place {
    int rank = 0;
    std::uint32_t task = 0;
  };

  const Program& program(int rank) const {
    return graph_.programs[graph_.program_of_rank[at(rank)]];
  }
  const ProgramIndex& index(int rank) const { return index_[graph_.program_of_rank[at(rank)]]; }
  const Task& task_of(Place place) const { return program(place.rank).tasks[place.task]; }
  const Span& span_of(Place place) const { return timeline_.span(place.rank, place.task); }

  /// The task that ends last of all.
  std::optional<Place> last() const {
    std::optional<Place> found;
    for (int rank = 0; rank < graph_.grid.size(); ++rank) {
      if (shown_.of(rank) != rank) continue;
      for (std::uint32_t task = 0; task < program(rank).tasks.size(); ++task)
        if (!found || timeline_.span(rank, task).end > span_of(*found).end) found = {rank, task};
    }
    return found;
  }

  /// Who sent what a task had to wait for after all that it depends on.
  std::optional<Place> sender(Place place) const {
    const Task& task = task_of(place);
    if (task.kind != TaskKind::receive || span_of(place).end <= span_of(place).ready) return {};
    const Message& message = graph_.messages[task.index];
    const int from = graph_.grid.moved(place.rank, Axis::pipeline, message.peer_stage);
    const int stage = graph_.grid.coordinate(place.rank, Axis::pipeline);
    const auto sent =
        index(from).sends.find({message.name, task.micro_batch, message.sender_chunk, stage});
    CHECK_INVARIANT(sent != index(from).sends.end());
    return Place{shown_.of(from), sent->second};
  }

  /// Axes of the ranks that begin a task together.
  AxisSet axes_of(const Task& task) const {
    if (task.kind == TaskKind::collective) return graph_.collectives[task.index].axes;
    AxisSet axes;
    if (task.kind == TaskKind::run)
      for (const Piece& piece : graph_.segments[task.index].pieces)
        if (piece.collective >= 0) axes = axes | graph_.collectives[at(piece.collective)].axes;
    return axes;
  }

  /// Who came last to what a task waited to begin; among equals one that is shown.
  Place latest_member(Place place) const {
    const Task& task = task_of(place);
    const AxisSet axes = axes_of(task);
    const std::uint32_t occurrence = index(place.rank).occurrence[place.task];
    Place found = place;
    for (const int member : graph_.grid.members(graph_.grid.group_of(place.rank, axes), axes)) {
      const auto alike = index(member).of_subject.find({task.kind, task.index});
      if (alike == index(member).of_subject.end() || occurrence >= alike->second.size()) continue;
      const Place other{shown_.of(member), alike->second[occurrence]};
      const double later = span_of(other).ready - span_of(found).ready;
      const bool nearer = shown_.shows(other.rank) && !shown_.shows(found.rank);
      if (later > 0 || (later == 0 && nearer)) found = other;
    }
    return found;
  }

  /// Of what a task depends on, the one that ended last; among equals that of its own stream.
  std::optional<Place> latest_before(Place place) const {
    const Task& task = task_of(place);
    std::optional<Place> found;
    const auto look = [&](std::uint32_t other) {
      const Place before{place.rank, other};
      if (!found || span_of(before).end > span_of(*found).end) found = before;
    };
    if (const int before = index(place.rank).before[place.task]; before >= 0)
      look(static_cast<std::uint32_t>(before));
    for (std::uint32_t i = 0; i < task.dependency_count; ++i)
      look(program(place.rank).dependencies[task.first_dependency + i]);
    return found;
  }

  const StepGraph& graph_;
  const Timeline& timeline_;
  Shown shown_;
  std::vector<ProgramIndex> index_;  // by program
  std::vector<PathStep> path_;
};

/// Adds up a path by kind and program.
class Parts {
 public:
  Parts(const StepGraph& graph, const Timeline& timeline)
      : graph_(graph), timeline_(timeline), shown_(graph, timeline) {}

  void add(const PathStep& step) {
    step_ = &step;
    told_.clear();
    const Task& task = program().tasks[step.task];
    const double length = step.end - step.begin;
    spend("wait", step.waited);
    if (task.kind == TaskKind::run)
      divide(graph_.segments[task.index], length);
    else if (task.kind == TaskKind::collective)
      spend(name_of(graph_.collectives[task.index].kind), length);
    else if (task.kind == TaskKind::copy)
      spend(name_of(graph_.copies[task.index].kind), length);
    else
      spend(name_of(CommKind::pipeline), length);
  }

  std::vector<PathPart> largest_first() && {
    std::vector<PathPart> parts;
    for (auto& [key, part] : parts_) parts.push_back(std::move(part));
    std::stable_sort(parts.begin(), parts.end(),
                     [](const PathPart& a, const PathPart& b) { return a.time > b.time; });
    return parts;
  }

 private:
  const Program& program() const {
    return graph_.programs[graph_.program_of_rank[at(step_->rank)]];
  }

  void spend(std::string_view kind, double seconds) {
    if (seconds == 0) return;
    const std::uint16_t where = graph_.program_of_rank[at(step_->rank)];
    PathPart& part = parts_[{std::string(kind), where}];
    part.kind = kind;
    part.rank_class = program().name;
    if (std::find(told_.begin(), told_.end(), &part) == told_.end()) ++part.spans;
    told_.push_back(&part);
    part.time += Seconds::from_s(seconds);
    if (!shown_.shows(step_->rank)) part.unseen += Seconds::from_s(seconds);
  }

  static std::string_view kind_of(Phase phase) {
    return phase == Phase::communication ? name_of(CommKind::other) : name_of(phase);
  }

  void divide(const Segment& segment, double length) {
    const double slowed = timeline_.span(step_->rank, step_->task).slowed;
    double rest = length - slowed;
    for (const Piece& piece : segment.pieces) {
      spend(kind_of(piece.phase), piece.compute.s());
      rest -= piece.compute.s();
    }
    spend("slowed", slowed);
    const auto waits = waits_by_kind(graph_, segment, step_->rank);
    constexpr double rounding = 1e-9;
    if (waits.empty() || rest < rounding * length) return spend(kind_of(segment.phase), rest);
    for (const auto& [kind, share] : waits) spend(name_of(kind), rest * share);
  }

  const StepGraph& graph_;
  const Timeline& timeline_;
  Shown shown_;
  const PathStep* step_ = nullptr;
  std::vector<const PathPart*> told_;  // to which the step is counted
  std::map<std::pair<std::string, std::uint16_t>, PathPart> parts_;
};

}  // namespace

std::vector<PathStep> critical_path(const StepGraph& graph, const Timeline& timeline) {
  return PathFinder(graph, timeline).find();
}

std::vector<PathPart> parts_of(const std::vector<PathStep>& path, const StepGraph& graph,
                               const Timeline& timeline) {
  Parts parts(graph, timeline);
  for (const PathStep& step : path) parts.add(step);
  return std::move(parts).largest_first();
}

}  // namespace sim
