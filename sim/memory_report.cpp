#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "sim/report.hpp"
#include "sim/step_memory.hpp"

namespace sim {

namespace {

using base::Bytes;

template <class Wanted>
Bytes total(const MemoryParts& parts, Wanted wanted) {
  Bytes sum;
  for (int part = 0; part < memory_part_count; ++part)
    if (wanted(static_cast<MemoryPart>(part))) sum += parts[static_cast<std::size_t>(part)];
  return sum;
}

Bytes& part_of(MemoryParts& parts, MemoryPart part) {
  return parts[static_cast<std::size_t>(part)];
}

/// Memory of one rank over time.
class Course {
 public:
  struct Change {
    double time = 0;
    const MemoryEvent* event = nullptr;
  };

  /// At equal times what is freed goes first.
  Course(const StepGraph& graph, const Timeline& timeline, int rank)
      : program_(graph.programs[graph.program_of_rank[static_cast<std::size_t>(rank)]]) {
    for (const MemoryEvent& event : program_.memory) {
      const Span& span = timeline.span(rank, event.task);
      changes_.push_back({event.at_end ? span.end : span.begin, &event});
    }
    std::stable_sort(changes_.begin(), changes_.end(), [](const Change& a, const Change& b) {
      if (a.time != b.time) return a.time < b.time;
      return a.event->delta_bytes < b.event->delta_bytes;
    });
    for (const HeldMemory& held : program_.held) part_of(held_, held.part) += held.bytes;
  }

  const Program& program() const { return program_; }
  const std::vector<Change>& changes() const { return changes_; }

  /// After how many changes the rank holds most, once those up to `from` are over.
  std::size_t fullest(double from = -1) const {
    Bytes now = allocated(held_);
    Bytes most;
    std::size_t after = 0;
    for (std::size_t i = 0; i <= changes_.size(); ++i) {
      const bool begun = i == changes_.size() || changes_[i].time > from;
      if (now > most && begun) {
        most = now;
        after = i;
      }
      if (i < changes_.size()) now += Bytes::from_count(changes_[i].event->delta_bytes);
    }
    return after;
  }

  /// By part, after so many changes, with what the allocator loses.
  MemoryParts parts(std::size_t after) const {
    MemoryParts now = held_;
    for (std::size_t i = 0; i < after; ++i)
      part_of(now, changes_[i].event->part) += Bytes::from_count(changes_[i].event->delta_bytes);
    part_of(now, MemoryPart::fragmentation) = fragmentation(allocated(now) - allocated(held_));
    return now;
  }

  /// The same, tensor by tensor.
  std::vector<AliveTensors> alive(std::size_t after) const {
    std::map<std::pair<MemoryPart, std::uint32_t>, Bytes> tensors;
    for (const HeldMemory& held : program_.held) tensors[{held.part, held.what}] += held.bytes;
    for (std::size_t i = 0; i < after; ++i)
      tensors[{changes_[i].event->part, changes_[i].event->what}] +=
          Bytes::from_count(changes_[i].event->delta_bytes);
    std::vector<AliveTensors> sorted;
    for (const auto& [key, bytes] : tensors)
      if (bytes.count() > 0)
        sorted.push_back({key.first, program_.memory_names[key.second], bytes});
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const AliveTensors& a, const AliveTensors& b) {
                       return a.part != b.part ? a.part < b.part : a.bytes > b.bytes;
                     });
    return sorted;
  }

  /// What is on the device after each change.
  std::vector<std::pair<double, Bytes>> curve(Bytes fragmentation) const {
    Bytes now = on_device(held_) + fragmentation;
    std::vector<std::pair<double, Bytes>> points{{0.0, now}};
    for (const Change& change : changes_) {
      now += Bytes::from_count(change.event->delta_bytes);
      points.emplace_back(change.time, now);
    }
    return points;
  }

 private:
  const Program& program_;
  std::vector<Change> changes_;
  MemoryParts held_{};
};

std::string name_of(const StepGraph& graph, const Task& task) {
  std::string name;
  switch (task.kind) {
    case TaskKind::run: name = graph.segments[task.index].name; break;
    case TaskKind::collective: name = graph.collectives[task.index].name; break;
    case TaskKind::copy: name = graph.copies[task.index].name; break;
    case TaskKind::send: name = fmt::format("send {}", graph.messages[task.index].name); break;
    case TaskKind::receive:
      name = fmt::format("receive {}", graph.messages[task.index].name);
      break;
  }
  if (task.micro_batch >= 0) name += fmt::format(", micro-batch {}", task.micro_batch);
  return name;
}

MemoryMoment moment_of(const StepGraph& graph, const Timeline& timeline, const Course& course,
                       std::size_t after) {
  if (after == 0) return {};
  const Course::Change& change = course.changes()[after - 1];
  const Task& task = course.program().tasks[change.event->task];
  return {base::Seconds::from_s(change.time), change.time / timeline.step.s(),
          fmt::format("{} of {}", change.event->at_end ? "end" : "begin", name_of(graph, task)),
          std::string(sim::name_of(task.stream))};
}

}  // namespace

Bytes allocated(const MemoryParts& parts) { return total(parts, in_tensors); }

Bytes reserved(const MemoryParts& parts) {
  return total(parts, [](MemoryPart part) {
    return in_tensors(part) || part == MemoryPart::deferred || part == MemoryPart::fragmentation;
  });
}

Bytes on_device(const MemoryParts& parts) {
  return total(parts, [](MemoryPart) { return true; });
}

MemoryParts peak_of_rank(const StepGraph& graph, const Timeline& timeline, int rank, PeakOf span) {
  const Course course(graph, timeline, rank);
  const double from =
      span == PeakOf::update ? timeline.span(rank, course.program().update).begin : -1;
  return course.parts(course.fullest(from));
}

MemoryReport follow_memory(const StepGraph& graph, const Timeline& timeline,
                           const std::vector<Bytes>& capacity_of_rank) {
  MemoryReport report;
  double fullest = 0;
  std::set<std::pair<std::uint16_t, std::int64_t>> seen;  // program, capacity
  for (int rank = 0; rank < graph.grid.size(); ++rank) {
    const std::uint16_t program = graph.program_of_rank[static_cast<std::size_t>(rank)];
    const Bytes capacity = capacity_of_rank[static_cast<std::size_t>(rank)];
    if (!seen.emplace(program, capacity.count()).second) continue;
    const Course course(graph, timeline, rank);
    const std::size_t after = course.fullest();
    const MemoryParts parts = course.parts(after);
    report.stages.push_back(
        {course.program().name, rank, allocated(parts), reserved(parts), on_device(parts)});
    const double full = on_device(parts).as_double() / capacity.as_double();
    if (full <= fullest) continue;
    fullest = full;
    report.capacity = capacity;
    report.peak = on_device(parts);
    report.worst_rank = rank;
    report.parts = parts;
    report.moment = moment_of(graph, timeline, course, after);
    report.alive = course.alive(after);
    report.curve = course.curve(parts[static_cast<std::size_t>(MemoryPart::fragmentation)]);
  }
  report.fits = report.peak <= report.capacity;
  return report;
}

}  // namespace sim
