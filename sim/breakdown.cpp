#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "base/check.hpp"
#include "sim/exposure.hpp"
#include "sim/report.hpp"

namespace sim {

namespace {

using base::Seconds;

/// Adds up what one rank's compute stream did and what it waited for.
class RankBreakdown {
 public:
  RankBreakdown(const StepGraph& graph, const Timeline& timeline, int rank)
      : graph_(graph),
        timeline_(timeline),
        rank_(rank),
        program_(graph.programs[graph.program_of_rank[static_cast<std::size_t>(rank)]]) {
    exposed_of_task_.resize(program_.tasks.size());
    std::array<int, stream_count> last;
    last.fill(-1);
    for (const Task& task : program_.tasks) {
      int& previous = last[static_cast<std::size_t>(task.stream)];
      before_on_stream_.push_back(previous);
      previous = static_cast<int>(before_on_stream_.size()) - 1;
    }
  }

  Breakdown measure() {
    for (std::uint32_t task = 0; task < program_.tasks.size(); ++task) {
      if (program_.tasks[task].stream != Stream::compute) continue;
      const Span& span = timeline_.span(rank_, task);
      wait_until(span.begin, task);
      computed(graph_.segments[program_.tasks[task].index], span);
      now_ = span.end;
    }
    // What other streams still do after the last computation, then other ranks.
    drain();
    sum_.bubble += Seconds::from_s(timeline_.step.s() - now_);
    return sum_;
  }

  const std::vector<Seconds>& exposed_of_task() const { return exposed_of_task_; }

 private:
  void computed(const Segment& segment, const Span& span) {
    Seconds spent;
    for (const Piece& piece : segment.pieces) {
      spent += piece.compute;
      switch (piece.phase) {
        case Phase::forward: sum_.forward += piece.compute; break;
        case Phase::backward: sum_.backward += piece.compute; break;
        case Phase::recompute: sum_.recompute += piece.compute; break;
        case Phase::optimizer: sum_.optimizer += piece.compute; break;
        case Phase::host: sum_.host += piece.compute; break;
        case Phase::allocator: sum_.allocator += piece.compute; break;
        case Phase::communication: sum_.other += piece.compute; break;
      }
    }
    const Seconds slowed = Seconds::from_s(span.slowed);
    sum_.slowed += slowed;
    divide_exposed(segment, Seconds::from_s(span.end - span.begin) - spent - slowed);
  }

  void divide_exposed(const Segment& segment, Seconds exposed) {
    const auto waits = waits_by_kind(graph_, segment, rank_);
    if (waits.empty()) sum_.other += exposed;
    for (const auto& [kind, share] : waits) part_of(kind) += exposed * share;
  }

  Seconds& exposed(const Task& task) {
    if (task.kind == TaskKind::send || task.kind == TaskKind::receive) return sum_.pipeline_exposed;
    if (task.kind == TaskKind::copy) return part_of(graph_.copies[task.index].kind);
    return part_of(graph_.collectives[task.index].kind);
  }

  Seconds& part_of(CommKind kind) {
    switch (kind) {
      case CommKind::tensor: return sum_.tensor_exposed;
      case CommKind::context: return sum_.context_exposed;
      case CommKind::expert: return sum_.expert_exposed;
      case CommKind::data: return sum_.data_exposed;
      case CommKind::parameter: return sum_.parameter_exposed;
      case CommKind::pipeline: return sum_.pipeline_exposed;
      case CommKind::other: return sum_.other;
    }
    return sum_.other;
  }

  /// The idle time up to `time`: exposed communication while this one was on the wire, bubble
  /// before it had begun (a peer was not that far) and after it.
  void charge(std::uint32_t task, double time) {
    const Span& span = timeline_.span(rank_, task);
    const double begin = std::clamp(span.begin, now_, time);
    const double end = std::clamp(span.end, now_, time);
    exposed(program_.tasks[task]) += Seconds::from_s(end - begin);
    exposed_of_task_[task] += Seconds::from_s(end - begin);
    sum_.bubble += Seconds::from_s(time - now_ - (end - begin));
    now_ = time;
  }

  /// What `task` waits for on other streams after `now_`: its dependencies, theirs, and what stands
  /// before them on their streams; in the order in which they end.
  std::vector<std::uint32_t> awaited_by(std::uint32_t task) const {
    const auto end = [&](std::uint32_t index) { return timeline_.span(rank_, index).end; };
    std::vector<std::uint32_t> found;
    const auto visit = [&](std::uint32_t index) {
      if (program_.tasks[index].stream == Stream::compute || end(index) <= now_) return;
      if (std::find(found.begin(), found.end(), index) == found.end()) found.push_back(index);
    };
    const auto visit_dependencies = [&](std::uint32_t index) {
      const Task& waiting = program_.tasks[index];
      for (std::uint32_t i = 0; i < waiting.dependency_count; ++i)
        visit(program_.dependencies[waiting.first_dependency + i]);
    };
    visit_dependencies(task);
    for (std::size_t i = 0; i < found.size(); ++i) {
      const std::uint32_t index = found[i];
      visit_dependencies(index);
      if (before_on_stream_[index] >= 0)
        visit(static_cast<std::uint32_t>(before_on_stream_[index]));
    }
    std::sort(found.begin(), found.end(), [&](std::uint32_t a, std::uint32_t b) {
      return std::pair(end(a), a) < std::pair(end(b), b);
    });
    return found;
  }

  void wait_until(double time, std::uint32_t task) {
    if (time <= now_) return;
    for (const std::uint32_t index : awaited_by(task))
      charge(index, std::min(timeline_.span(rank_, index).end, time));
    sum_.bubble += Seconds::from_s(time - now_);
    now_ = time;
  }

  void drain() {
    double end = now_;
    std::optional<std::uint32_t> last;
    for (std::uint32_t task = 0; task < program_.tasks.size(); ++task) {
      const Span& span = timeline_.span(rank_, task);
      if (program_.tasks[task].stream == Stream::compute || span.end <= end) continue;
      last = task;
      end = span.end;
    }
    if (last) charge(*last, end);
  }

  const StepGraph& graph_;
  const Timeline& timeline_;
  int rank_;
  const Program& program_;
  std::vector<int> before_on_stream_;  // of each task; -1: it is the first
  Breakdown sum_;
  std::vector<Seconds> exposed_of_task_;
  double now_ = 0;
};

}  // namespace

std::vector<Seconds> exposed_by_task(const StepGraph& graph, const Timeline& timeline, int rank) {
  RankBreakdown breakdown(graph, timeline, rank);
  breakdown.measure();
  return breakdown.exposed_of_task();
}

std::map<CommKind, double> waits_by_kind(const StepGraph& graph, const Segment& segment, int rank) {
  std::map<CommKind, std::array<double, 2>> weights;  // longer, length
  std::array<double, 2> sums{};
  for (const Piece& piece : segment.pieces) {
    if (piece.collective < 0) continue;
    const CollectiveUse& use = graph.collectives[static_cast<std::size_t>(piece.collective)];
    const double length = graph.cost_of(use, rank).total.time.s();
    const std::array<double, 2> both{std::max(0.0, length - piece.compute.s()), length};
    for (const std::size_t i : {0U, 1U}) {
      weights[use.kind][i] += both[i];
      sums[i] += both[i];
    }
  }
  const std::size_t by = sums[0] > 0 ? 0 : 1;
  std::map<CommKind, double> shares;
  if (sums[by] > 0)
    for (const auto& [kind, weight] : weights) shares[kind] = weight[by] / sums[by];
  return shares;
}

Breakdown break_down(const StepGraph& graph, const Timeline& timeline) {
  // Ranks that share their spans are measured once.
  struct Alike {
    int rank = 0;
    int count = 0;
  };
  std::map<std::pair<std::uint32_t, std::uint16_t>, Alike> classes;  // by first span and program
  const int ranks = graph.grid.size();
  for (int rank = 0; rank < ranks; ++rank) {
    const auto i = static_cast<std::size_t>(rank);
    const auto key = std::pair(timeline.first_span[i], graph.program_of_rank[i]);
    ++classes.try_emplace(key, Alike{rank, 0}).first->second.count;
  }
  Breakdown mean;
  for (const auto& [key, alike] : classes) {
    const Breakdown one = RankBreakdown(graph, timeline, alike.rank).measure();
    const double share = static_cast<double>(alike.count) / ranks;
    for (Seconds Breakdown::*part :
         {&Breakdown::forward, &Breakdown::backward, &Breakdown::recompute,
          &Breakdown::tensor_exposed, &Breakdown::context_exposed, &Breakdown::expert_exposed,
          &Breakdown::data_exposed, &Breakdown::parameter_exposed, &Breakdown::pipeline_exposed,
          &Breakdown::bubble, &Breakdown::optimizer, &Breakdown::host, &Breakdown::allocator,
          &Breakdown::slowed, &Breakdown::other})
      mean.*part += one.*part * share;
  }
  const double error = mean.total().s() - timeline.step.s();
  CHECK_INVARIANT(std::abs(error) <= 1e-6 * timeline.step.s() + 1e-12);
  return mean;
}

}  // namespace sim
