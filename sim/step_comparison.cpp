#include "sim/step_comparison.hpp"

#include <algorithm>
#include <map>
#include <numeric>

#include "base/check.hpp"

namespace sim {

namespace {

/// By name, collectives apart from kernels.
using Parts = std::map<std::pair<bool, std::string>, double>;

const Program& program_of(const StepGraph& graph, std::size_t rank) {
  return graph.programs[graph.program_of_rank[rank]];
}

double cost(const StepGraph& graph, std::uint32_t collective, std::size_t rank) {
  const CollectiveUse& use = graph.collectives[collective];
  if (graph.grid.extent(use.axes) == 1) return 0;
  return graph.cost_of(use, static_cast<int>(rank)).total.time.s();
}

/// What a task does, by part: seconds from `compute(piece index)` and `communication(piece index)`.
template <class Compute, class Communication>
void add_segment(const StepGraph& graph, const Segment& segment, Parts& parts,
                 const Compute& compute, const Communication& communication) {
  for (std::size_t i = 0; i < segment.pieces.size(); ++i) {
    const Piece& piece = segment.pieces[i];
    if (piece.kernel_count > 0) parts[{false, graph.labels[piece.label]}] += compute(i);
    if (piece.collective < 0) continue;
    const auto use = static_cast<std::uint32_t>(piece.collective);
    parts[{true, graph.collectives[use].name}] += communication(i);
  }
}

Parts forecast_parts(const StepGraph& graph) {
  Parts parts;
  for (std::size_t rank = 0; rank < graph.program_of_rank.size(); ++rank)
    for (const Task& task : program_of(graph, rank).tasks) {
      if (task.kind == TaskKind::collective)
        parts[{true, graph.collectives[task.index].name}] += cost(graph, task.index, rank);
      if (task.kind != TaskKind::run) continue;
      const Segment& segment = graph.segments[task.index];
      add_segment(
          graph, segment, parts, [&](std::size_t i) { return segment.pieces[i].compute.s(); },
          [&](std::size_t i) {
            return cost(graph, static_cast<std::uint32_t>(segment.pieces[i].collective), rank);
          });
    }
  return parts;
}

Parts executed_parts(const StepGraph& graph, const std::vector<RankStep>& ranks) {
  Parts parts;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    const Program& program = program_of(graph, rank);
    for (std::size_t task = 0; task < program.tasks.size(); ++task) {
      const Task& one = program.tasks[task];
      const Span& span = ranks[rank].spans[task];
      if (one.kind == TaskKind::collective)
        parts[{true, graph.collectives[one.index].name}] += span.end - span.begin;
      if (one.kind != TaskKind::run) continue;
      const std::vector<PieceTime>& pieces = ranks[rank].pieces[task];
      add_segment(
          graph, graph.segments[one.index], parts, [&](std::size_t i) { return pieces[i].compute; },
          [&](std::size_t i) { return pieces[i].communication; });
    }
  }
  return parts;
}

double seconds_of(const std::vector<RankStep>& ranks) {
  double longest = 0;
  for (const RankStep& rank : ranks) longest = std::max(longest, rank.seconds);
  return longest;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

std::vector<double> packed(const RankStep& step) {
  std::vector<double> numbers{step.seconds, step.reference, static_cast<double>(step.spans.size())};
  for (std::size_t task = 0; task < step.spans.size(); ++task) {
    numbers.insert(numbers.end(), {step.spans[task].begin, step.spans[task].end,
                                   static_cast<double>(step.pieces[task].size())});
    for (const PieceTime& piece : step.pieces[task])
      numbers.insert(numbers.end(), {piece.compute, piece.communication});
  }
  return numbers;
}

RankStep unpacked(std::span<const double> numbers) {
  std::size_t at = 0;
  const auto next = [&] {
    CHECK_INVARIANT(at < numbers.size());
    return numbers[at++];
  };
  RankStep step;
  step.seconds = next();
  step.reference = next();
  const auto tasks = static_cast<std::size_t>(next());
  for (std::size_t task = 0; task < tasks; ++task) {
    const double begin = next();
    step.spans.push_back({begin, begin, next(), 0});
    step.pieces.emplace_back();
    for (auto pieces = static_cast<std::size_t>(next()); pieces > 0; --pieces) {
      const double compute = next();
      step.pieces.back().push_back({compute, next()});
    }
  }
  return step;
}

StepComparison compare_steps(const StepGraph& graph, double forecast, const ExecutedSteps& steps) {
  CHECK_INVARIANT(!steps.empty());
  StepComparison result;
  result.forecast = forecast;
  result.steps = static_cast<int>(steps.size());
  std::vector<std::size_t> order(steps.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return seconds_of(steps[a]) < seconds_of(steps[b]);
  });
  result.middle = order[order.size() / 2];
  result.executed = seconds_of(steps[result.middle]);
  result.executed_min = seconds_of(steps[order.front()]);
  result.executed_max = seconds_of(steps[order.back()]);

  if (const Piece* const piece = reference_piece(graph)) {
    std::vector<double> times;
    for (const std::vector<RankStep>& step : steps)
      for (const RankStep& rank : step) times.push_back(rank.reference);
    result.drift = median(std::move(times)) / piece->compute.s();
  }
  const auto ranks = static_cast<double>(graph.program_of_rank.size());
  std::map<Parts::key_type, std::vector<double>> by_step;
  for (const std::vector<RankStep>& step : steps)
    for (const auto& [key, seconds] : executed_parts(graph, step))
      by_step[key].push_back(seconds / ranks);
  for (const auto& [key, seconds] : forecast_parts(graph))
    result.parts.push_back({key.second, key.first, seconds / ranks, median(by_step.at(key))});
  std::stable_sort(
      result.parts.begin(), result.parts.end(),
      [](const ComparedPart& a, const ComparedPart& b) { return a.executed > b.executed; });
  return result;
}

Timeline timeline_of(const std::vector<RankStep>& ranks) {
  Timeline timeline;
  timeline.step = base::Seconds::from_s(seconds_of(ranks));
  timeline.actors = static_cast<int>(ranks.size());
  for (const RankStep& rank : ranks) {
    timeline.first_span.push_back(static_cast<std::uint32_t>(timeline.spans.size()));
    timeline.spans.insert(timeline.spans.end(), rank.spans.begin(), rank.spans.end());
  }
  timeline.first_span.push_back(static_cast<std::uint32_t>(timeline.spans.size()));
  return timeline;
}

}  // namespace sim
