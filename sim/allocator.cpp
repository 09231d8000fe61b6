#include "sim/allocator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "sim/step_memory.hpp"

namespace sim {

namespace {

using base::Bytes;

/// In the order in which the host launches the tasks, which is when memory is asked for.
Bytes peak_of(const Program& program) {
  Bytes now;
  Bytes most;
  for (const MemoryEvent& event : program.memory) {
    now += Bytes::from_count(event.delta_bytes);
    most = std::max(most, now);
  }
  return held_bytes(program) + most + fragmentation(most);
}

/// By task: tensors that it makes, and what its tensor ranks reduce and scatter.
std::vector<Bytes> asked_by_task(const Program& program, const StepGraph& graph) {
  std::vector<Bytes> asked(program.tasks.size());
  for (const MemoryEvent& event : program.memory)
    if (event.delta_bytes > 0) asked[event.task] += Bytes::from_count(event.delta_bytes);
  for (std::size_t i = 0; i < program.tasks.size(); ++i) {
    if (program.tasks[i].kind != TaskKind::run) continue;
    for (const Piece& piece : graph.segments[program.tasks[i].index].pieces) {
      if (piece.collective < 0) continue;
      const CollectiveUse& use = graph.collectives[static_cast<std::size_t>(piece.collective)];
      if (use.op == base::Collective::reduce_scatter && use.axes == strategies::Axis::tensor)
        asked[i] += use.bytes;
    }
  }
  return asked;
}

}  // namespace

void add_allocator_waits(const strategies::Execution& execution, Bytes capacity, StepGraph& graph,
                         Pricer& pricer) {
  if (execution.allocator_retry == base::Seconds{}) return;
  std::set<std::uint32_t> done;  // segments: each belongs to one stage
  for (const Program& program : graph.programs) {
    const Bytes peak = peak_of(program);
    if (peak <= capacity) continue;
    const double lacking = 1 - capacity.as_double() / peak.as_double();
    const std::vector<Bytes> asked = asked_by_task(program, graph);
    for (std::size_t i = 0; i < program.tasks.size(); ++i) {
      const Task& task = program.tasks[i];
      if (task.kind != TaskKind::run || asked[i].count() == 0) continue;
      if (!done.insert(task.index).second) continue;
      Segment& segment = graph.segments[task.index];
      pricer.append_on_host(
          segment, "allocator", Phase::allocator,
          execution.allocator_retry *
              (asked[i].as_double() / Bytes::from_gib(1).as_double() * lacking),
          fmt::format("too little memory ({:.0f} ms a GiB that the allocator asks for again)",
                      execution.allocator_retry.ms()));
      std::rotate(segment.pieces.begin(), segment.pieces.end() - 1, segment.pieces.end());
    }
  }
}

}  // namespace sim
