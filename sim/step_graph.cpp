#include "sim/step_graph.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/check.hpp"

namespace sim {

namespace {

using strategies::Axis;
using strategies::AxisSet;

std::size_t at(int i) { return static_cast<std::size_t>(i); }

void check_indices(const StepGraph& graph) {
  CHECK_INVARIANT(graph.program_of_rank.size() == at(graph.grid.size()));
  for (const std::uint16_t program : graph.program_of_rank)
    CHECK_INVARIANT(program < graph.programs.size());
  for (const StepGraph::Groups& groups : graph.groups) {
    CHECK_INVARIANT(groups.shape_of_group.size() == at(graph.grid.group_count(groups.axes)));
    for (const std::uint16_t shape : groups.shape_of_group)
      CHECK_INVARIANT(shape < groups.shapes.size());
  }
  for (const CollectiveUse& use : graph.collectives) {
    CHECK_INVARIANT(use.cost.size() == graph.groups_of(use.axes).shapes.size());
    CHECK_INVARIANT(use.bytes.count() >= 0);
    for (const calibrate::CollectiveCost& cost : use.cost)
      CHECK_INVARIANT(cost.total.time >= base::Seconds{} && cost.latency >= base::Seconds{});
  }
  for (const Segment& segment : graph.segments)
    for (const Piece& piece : segment.pieces) {
      CHECK_INVARIANT(piece.label < graph.labels.size());
      CHECK_INVARIANT(piece.source >= 0 && at(piece.source) < graph.sources.size());
      CHECK_INVARIANT(piece.compute >= base::Seconds{});
      CHECK_INVARIANT(piece.collective < static_cast<int>(graph.collectives.size()));
    }
  for (const HostCopy& copy : graph.copies)
    CHECK_INVARIANT(copy.cost.time >= base::Seconds{} && copy.bytes.count() >= 0);
  for (const Message& message : graph.messages) {
    CHECK_INVARIANT(message.cost.size() == 2);
    CHECK_INVARIANT(message.peer_stage >= 0 &&
                    message.peer_stage < graph.grid.extent(Axis::pipeline));
  }
}

void check_program_indices(const StepGraph& graph, const Program& program) {
  for (const Task& task : program.tasks) {
    const std::size_t table = task.kind == TaskKind::run          ? graph.segments.size()
                              : task.kind == TaskKind::collective ? graph.collectives.size()
                              : task.kind == TaskKind::copy       ? graph.copies.size()
                                                                  : graph.messages.size();
    CHECK_INVARIANT(task.index < table);
    CHECK_INVARIANT(task.first_dependency + task.dependency_count <= program.dependencies.size());
  }
  for (const std::uint32_t dependency : program.dependencies)
    CHECK_INVARIANT(dependency < program.tasks.size());
  for (std::size_t i = 0; i < program.memory.size(); ++i) {
    const MemoryEvent& event = program.memory[i];
    CHECK_INVARIANT(event.task < program.tasks.size());
    CHECK_INVARIANT(event.what < program.memory_names.size());
    CHECK_INVARIANT(i == 0 || std::tie(program.memory[i - 1].task, program.memory[i - 1].at_end) <=
                                  std::tie(event.task, event.at_end));
  }
}

/// Takes away tasks that wait for nothing until none is left (Kahn); a rest is a cycle.
void check_acyclic(const Program& program) {
  const std::size_t count = program.tasks.size();
  std::vector<std::uint32_t> waits(count, 0);
  std::vector<std::vector<std::uint32_t>> next(count);
  std::array<int, stream_count> last;
  last.fill(-1);
  for (std::uint32_t i = 0; i < count; ++i) {
    const Task& task = program.tasks[i];
    const auto edge_from = [&](std::uint32_t before) {
      next[before].push_back(i);
      ++waits[i];
    };
    for (std::uint32_t d = 0; d < task.dependency_count; ++d)
      edge_from(program.dependencies[task.first_dependency + d]);
    int& previous = last[static_cast<std::size_t>(task.stream)];
    if (previous >= 0) edge_from(static_cast<std::uint32_t>(previous));
    previous = static_cast<int>(i);
  }
  std::vector<std::uint32_t> free;
  for (std::uint32_t i = 0; i < count; ++i)
    if (waits[i] == 0) free.push_back(i);
  std::size_t done = 0;
  for (; done < free.size(); ++done)
    for (const std::uint32_t i : next[free[done]])
      if (--waits[i] == 0) free.push_back(i);
  CHECK_INVARIANT(done == count);
}

/// The collectives that a program runs on one stream over one set of axes, in order.
std::vector<std::uint32_t> collective_sequence(const StepGraph& graph, const Program& program,
                                               Stream stream, AxisSet axes) {
  std::vector<std::uint32_t> sequence;
  const auto append = [&](std::uint32_t use) {
    if (graph.collectives[use].axes == axes) sequence.push_back(use);
  };
  for (const Task& task : program.tasks) {
    if (task.stream != stream) continue;
    if (task.kind == TaskKind::collective) append(task.index);
    if (task.kind == TaskKind::run)
      for (const Piece& piece : graph.segments[task.index].pieces)
        if (piece.collective >= 0) append(static_cast<std::uint32_t>(piece.collective));
  }
  return sequence;
}

void check_communicators(const StepGraph& graph) {
  const int ranks = graph.grid.size();
  for (const StepGraph::Groups& groups : graph.groups) {
    int streams = 0;
    for (int s = 0; s < stream_count; ++s)
      streams += std::any_of(graph.programs.begin(), graph.programs.end(), [&](const Program& p) {
        return !collective_sequence(graph, p, static_cast<Stream>(s), groups.axes).empty();
      });
    CHECK_INVARIANT(streams <= 1);  // or operations of one communicator would overlap
    for (int s = 0; s < stream_count; ++s) {
      std::map<std::vector<std::uint32_t>, int> numbers;  // equal sequences, equal numbers
      std::vector<int> number_of_program;
      for (const Program& program : graph.programs) {
        auto sequence = collective_sequence(graph, program, static_cast<Stream>(s), groups.axes);
        number_of_program.push_back(
            numbers.emplace(std::move(sequence), static_cast<int>(numbers.size())).first->second);
      }
      if (numbers.size() == 1) continue;
      std::vector<int> number_of_group(groups.shape_of_group.size(), -1);
      for (int rank = 0; rank < ranks; ++rank) {
        const int number = number_of_program[graph.program_of_rank[at(rank)]];
        int& expected = number_of_group[at(graph.grid.group_of(rank, groups.axes))];
        if (expected < 0) expected = number;
        CHECK_INVARIANT(expected == number);
      }
    }
  }
}

/// What identifies a message between two given ranks.
using MessageKey = std::tuple<std::string, int, int>;  // name, micro-batch, chunk of the sender

std::map<MessageKey, base::Bytes> messages_with(const StepGraph& graph, const Program& program,
                                                TaskKind kind, int peer_stage) {
  std::map<MessageKey, base::Bytes> found;
  for (const Task& task : program.tasks) {
    if (task.kind != kind) continue;
    const Message& message = graph.messages[task.index];
    if (message.peer_stage != peer_stage) continue;
    const bool added =
        found
            .emplace(MessageKey{message.name, task.micro_batch, message.sender_chunk},
                     message.bytes)
            .second;
    CHECK_INVARIANT(added);
  }
  return found;
}

void check_messages(const StepGraph& graph) {
  const int stages = graph.grid.extent(Axis::pipeline);
  std::set<std::tuple<int, int, int, int>> seen;  // programs and stages of pairs looked at
  for (int rank = 0; rank < graph.grid.size(); ++rank) {
    const int stage = graph.grid.coordinate(rank, Axis::pipeline);
    const int program = graph.program_of_rank[at(rank)];
    for (int peer_stage = 0; peer_stage < stages; ++peer_stage) {
      const int peer = graph.grid.moved(rank, Axis::pipeline, peer_stage);
      const int peer_program = graph.program_of_rank[at(peer)];
      if (!seen.emplace(program, stage, peer_program, peer_stage).second) continue;
      CHECK_INVARIANT(
          messages_with(graph, graph.programs[at(program)], TaskKind::send, peer_stage) ==
          messages_with(graph, graph.programs[at(peer_program)], TaskKind::receive, stage));
    }
  }
}

}  // namespace

std::string_view name_of(CommKind kind) {
  switch (kind) {
    case CommKind::tensor: return "tensor";
    case CommKind::context: return "context";
    case CommKind::expert: return "expert";
    case CommKind::data: return "data";
    case CommKind::parameter: return "parameter";
    case CommKind::pipeline: return "pipeline";
    case CommKind::other: return "other";
  }
  return "?";
}

std::string_view name_of(Phase phase) {
  switch (phase) {
    case Phase::forward: return "forward";
    case Phase::backward: return "backward";
    case Phase::recompute: return "recompute";
    case Phase::optimizer: return "optimizer";
    case Phase::communication: return "communication";
    case Phase::host: return "host";
    case Phase::allocator: return "allocator";
  }
  return "?";
}

std::string_view name_of(Stream stream) {
  switch (stream) {
    case Stream::compute: return "compute";
    case Stream::data_comm: return "data";
    case Stream::replica_comm: return "replica";
    case Stream::expert_data_comm: return "expert data";
    case Stream::expert_replica_comm: return "expert replica";
    case Stream::send: return "send";
    case Stream::receive: return "receive";
    case Stream::host_to_device: return "host to device";
    case Stream::device_to_host: return "device to host";
    case Stream::model_comm: return "model";
  }
  return "?";
}

bool in_tensors(MemoryPart part) {
  return part != MemoryPart::communicators && part != MemoryPart::framework &&
         part != MemoryPart::fragmentation && part != MemoryPart::deferred;
}

base::Bytes held_bytes(const Program& program, MemoryPart part) {
  base::Bytes sum;
  for (const HeldMemory& held : program.held)
    if (held.part == part) sum += held.bytes;
  return sum;
}

base::Bytes held_bytes(const Program& program) {
  base::Bytes sum;
  for (const HeldMemory& held : program.held) sum += held.bytes;
  return sum;
}

std::string_view name_of(MemoryPart part) {
  switch (part) {
    case MemoryPart::weights: return "weights";
    case MemoryPart::gradients: return "gradients";
    case MemoryPart::master_weights: return "master";
    case MemoryPart::optimizer: return "optimizer";
    case MemoryPart::activations: return "activations";
    case MemoryPart::experts: return "experts";
    case MemoryPart::logits: return "logits";
    case MemoryPart::gathered: return "gathered";
    case MemoryPart::buffers: return "buffers";
    case MemoryPart::communicators: return "communicators";
    case MemoryPart::framework: return "framework";
    case MemoryPart::deferred: return "deferred";
    case MemoryPart::fragmentation: return "fragmentation";
  }
  return "?";
}

const StepGraph::Groups& StepGraph::groups_of(AxisSet axes) const {
  const auto found =
      std::find_if(groups.begin(), groups.end(), [&](const Groups& g) { return g.axes == axes; });
  CHECK_INVARIANT(found != groups.end());
  return *found;
}

const calibrate::CollectiveCost& StepGraph::cost_of(const CollectiveUse& use, int rank) const {
  const Groups& of_axes = groups_of(use.axes);
  return use.cost[of_axes.shape_of_group[at(grid.group_of(rank, use.axes))]];
}

std::uint32_t add_task(Program& program, Task task,
                       const std::vector<std::uint32_t>& dependencies) {
  task.first_dependency = static_cast<std::uint32_t>(program.dependencies.size());
  task.dependency_count = static_cast<std::uint32_t>(dependencies.size());
  program.dependencies.insert(program.dependencies.end(), dependencies.begin(), dependencies.end());
  program.tasks.push_back(task);
  return static_cast<std::uint32_t>(program.tasks.size() - 1);
}

void check_step_graph(const StepGraph& graph) {
  check_indices(graph);
  for (const Program& program : graph.programs) {
    check_program_indices(graph, program);
    check_acyclic(program);
  }
  check_communicators(graph);
  check_messages(graph);
}

}  // namespace sim
