#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include "base/quantity.hpp"
#include "sim/report.hpp"

namespace sim {

namespace {

using base::Bytes;
using Parts = std::array<Bytes, memory_part_count>;

Bytes total(const Parts& parts) { return std::accumulate(parts.begin(), parts.end(), Bytes{}); }

struct Peak {
  Bytes bytes;
  Parts parts{};
  std::vector<std::pair<double, Bytes>> curve;
};

/// Plays the memory events of one rank in the order of their times; at equal times what is freed
/// goes first.
Peak follow(const StepGraph& graph, const Timeline& timeline, int rank) {
  const Program& program = graph.programs[graph.program_of_rank[static_cast<std::size_t>(rank)]];
  struct Change {
    double time;
    const MemoryEvent* event;
  };
  std::vector<Change> changes;
  for (const MemoryEvent& event : program.memory) {
    const Span& span = timeline.span(rank, event.task);
    changes.push_back({event.at_end ? span.end : span.begin, &event});
  }
  std::stable_sort(changes.begin(), changes.end(), [](const Change& a, const Change& b) {
    if (a.time != b.time) return a.time < b.time;
    return a.event->delta_bytes < b.event->delta_bytes;
  });
  Parts now = program.resident;
  Peak peak{total(now), now, {{0.0, total(now)}}};
  for (const Change& change : changes) {
    now[static_cast<std::size_t>(change.event->part)] +=
        Bytes::from_count(change.event->delta_bytes);
    const Bytes bytes = total(now);
    peak.curve.emplace_back(change.time, bytes);
    if (bytes > peak.bytes) {
      peak.bytes = bytes;
      peak.parts = now;
    }
  }
  return peak;
}

std::string advise(const Parts& parts, Bytes over) {
  struct Advice {
    MemoryPart part;
    std::string_view what;
  };
  constexpr Advice advices[] = {
      {MemoryPart::weights, "raise tensor_parallel or pipeline_parallel, or set zero: 3"},
      {MemoryPart::gradients, "set zero: 2 or 3, or raise tensor_parallel or pipeline_parallel"},
      {MemoryPart::optimizer, "set zero: 1 or higher, or more data-parallel ranks"},
      {MemoryPart::activations,
       "set recompute: selective or full, sequence_parallel: true, or a "
       "smaller micro_batch"},
      {MemoryPart::logits, "lower micro_batch or raise tensor_parallel"},
      {MemoryPart::buffers, "lower bucket"},
  };
  const Advice* largest = &advices[0];
  for (const Advice& advice : advices)
    if (parts[static_cast<std::size_t>(advice.part)] >
        parts[static_cast<std::size_t>(largest->part)])
      largest = &advice;
  return fmt::format("{} too much; the largest part is {} ({}): {}", base::format_bytes(over),
                     name_of(largest->part),
                     base::format_bytes(parts[static_cast<std::size_t>(largest->part)]),
                     largest->what);
}

}  // namespace

Parts peak_of_rank(const StepGraph& graph, const Timeline& timeline, int rank) {
  return follow(graph, timeline, rank).parts;
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
    Peak peak = follow(graph, timeline, rank);
    const double full = peak.bytes.as_double() / capacity.as_double();
    if (full <= fullest) continue;
    fullest = full;
    report.capacity = capacity;
    report.peak = peak.bytes;
    report.worst_rank = rank;
    report.parts = peak.parts;
    report.curve = std::move(peak.curve);
  }
  report.fits = report.peak <= report.capacity;
  if (!report.fits) report.advice = advise(report.parts, report.peak - report.capacity);
  return report;
}

}  // namespace sim
