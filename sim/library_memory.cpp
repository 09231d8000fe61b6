#include "sim/library_memory.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace sim {

namespace {

using base::Bytes;

constexpr std::int64_t simple_bytes = 4 << 20;
constexpr std::int64_t channel_bytes = (512 << 10) + 4'915'200 + simple_bytes;

void hold(Program& program, std::int64_t bytes, std::string what) {
  if (bytes == 0) return;
  program.memory_names.push_back(std::move(what));
  program.held.push_back({MemoryPart::communicators, Bytes::from_count(bytes),
                          static_cast<std::uint32_t>(program.memory_names.size() - 1)});
}

/// Of one communicator, by its most demanding collective.
std::int64_t buffers_of(const StepGraph& graph, const CollectiveUse& use) {
  if (graph.grid.extent(use.axes) == 1) return 0;
  const StepGraph::Groups& groups = graph.groups_of(use.axes);
  std::int64_t most = 0;
  for (std::size_t shape = 0; shape < groups.shapes.size(); ++shape) {
    const int sides = groups.shapes[shape].nodes > 1 ? 2 : 1;
    most = std::max(most, use.cost[shape].channels * channel_bytes * sides);
  }
  return most;
}

void hold_communicators(const StepGraph& graph, Program& program) {
  std::map<strategies::AxisSet, std::int64_t> communicators;  // bytes
  std::set<std::uint32_t> segments;
  std::set<int> peers;
  const auto use = [&](std::size_t index) {
    const CollectiveUse& collective = graph.collectives[index];
    std::int64_t& bytes = communicators[collective.axes];
    bytes = std::max(bytes, buffers_of(graph, collective));
  };
  for (const Task& task : program.tasks) {
    if (task.kind == TaskKind::collective) use(task.index);
    if (task.kind == TaskKind::run) segments.insert(task.index);
    if (task.kind == TaskKind::send || task.kind == TaskKind::receive)
      peers.insert(graph.messages[task.index].peer_stage);
  }
  for (const std::uint32_t segment : segments)
    for (const Piece& piece : graph.segments[segment].pieces)
      if (piece.collective >= 0) use(static_cast<std::size_t>(piece.collective));
  for (const auto& [axes, bytes] : communicators)
    hold(program, bytes,
         fmt::format("communicator {} of {} ranks", name_of(axes), graph.grid.extent(axes)));
  hold(program, static_cast<std::int64_t>(peers.size()) * 2 * 2 * simple_bytes,
       "messages between stages");
}

}  // namespace

Bytes context_bytes() { return Bytes::from_gib(0.75); }

Bytes workspace_bytes(const topology::GpuSpec& gpu) {
  const bool large = gpu.architecture == "hopper" || gpu.architecture == "blackwell";
  return Bytes::from_mib(2 * (large ? 32 : 8.125));
}

void hold_communicators(StepGraph& graph) {
  for (Program& program : graph.programs) hold_communicators(graph, program);
}

}  // namespace sim
