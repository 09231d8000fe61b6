#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "base/kernel.hpp"
#include "base/units.hpp"
#include "calibrate/profile.hpp"
#include "strategies/rank_grid.hpp"

/// One training step as programs of tasks: the centre of foreshard. Ranks that do the same (all
/// tensor- and data-parallel copies of a pipeline stage) share one Program, so 16,384 ranks cost
/// as much memory as 16. The analytic engine, the SimGrid engine and a hardware executor read it.
namespace sim {

/// Tasks of one stream run one after the other, in program order; streams run side by side, and a
/// dependency between them holds a stream up, not the host. One stream per communicator, as
/// torchcomms and NCCL have them: operations on one communicator are serial, those of different
/// ones concurrent. Collectives that computation waits for anyway run on the compute stream.
enum class Stream : std::uint8_t {
  compute,
  data_comm,     ///< the data-parallel group, or its shards (HSDP)
  replica_comm,  ///< HSDP: equal shards of different replicas
  send,
  receive,
  expert_data_comm,  ///< as data_comm and replica_comm, of experts, whose copies are other ranks
  expert_replica_comm,
  host_to_device,  ///< copies from the memory of the host, as FSDP with offloading has them
  device_to_host,
  model_comm,  ///< scalars of ranks that hold different gradients: norm, overflow
};
inline constexpr int stream_count = 10;

/// What a piece of time is spent on, for the breakdown.
enum class Phase : std::uint8_t {
  forward,
  backward,
  recompute,
  optimizer,
  communication,
  host,       ///< the GPU waits for the host to launch the next operator
  allocator,  ///< … which has no memory for it, see add_allocator_waits
};

/// What a collective is for; also the colour of its spans and its line in the breakdown.
enum class CommKind : std::uint8_t { tensor, context, expert, data, parameter, pipeline, other };
std::string_view name_of(CommKind kind);
std::string_view name_of(Phase phase);
std::string_view name_of(Stream stream);

/// A collective as many tasks use it: same operation, group axes and bytes.
struct CollectiveUse {
  std::string name;  ///< "all-gather qkv", "reduce-scatter bucket 3"
  calibrate::Collective op = calibrate::Collective::all_reduce;
  CommKind kind = CommKind::tensor;
  strategies::AxisSet axes;    ///< the group: ranks that differ along these axes
  base::Bytes bytes;           ///< nccl-tests convention, see Profile::collective
  int parts = 1;               ///< see strategies::Communication
  std::vector<double> shares;  ///< unequal counts, see collectives::Demand; empty: equal
  /// Cost beside the kernels of its own work only (CollectiveCost::held_up), by group shape;
  /// indexed by StepGraph::group_shape of (axes, group).
  std::vector<calibrate::CollectiveCost> cost;

  /// Whether some group loses speed to kernels beside it.
  bool is_held_up() const {
    return std::any_of(cost.begin(), cost.end(), [](const auto& one) { return one.is_held_up(); });
  }
};

/// A piece of a segment: a kernel, a collective that the compute stream waits for, or both side by
/// side (a collective hidden behind a kernel). Takes max(compute, collective).
struct Piece {
  std::uint32_t label = 0;  ///< StepGraph::labels
  Phase phase = Phase::forward;
  base::Seconds compute;         ///< 0 when it is only a collective
  base::Seconds streaming;       ///< part of `compute` that memory bandwidth limits, not SMs
  std::int32_t collective = -1;  ///< StepGraph::collectives; -1 when it is only a kernel
  float spread = 0;              ///< relative, of `compute`
  std::int16_t source = 0;       ///< StepGraph::sources
  /// What is computed: into StepGraph::kernels; nothing for time of the host.
  std::uint32_t first_kernel = 0;
  std::uint32_t kernel_count = 0;
};

/// What the compute stream does between two points at which another stream matters; shared by all
/// micro-batches and ranks that do the same.
struct Segment {
  std::string name;  ///< "forward chunk 0", "backward layer 3"
  Phase phase = Phase::forward;
  std::vector<Piece> pieces;
  base::Seconds compute;  ///< sum over pieces
};

enum class TaskKind : std::uint8_t { run, collective, send, receive, copy };

/// One task of a program. `index` is a segment, a collective, a copy, or for send and receive an
/// entry of StepGraph::messages.
struct Task {
  TaskKind kind = TaskKind::run;
  Stream stream = Stream::compute;
  std::int16_t chunk = 0;         ///< model chunk (virtual stage) of this rank
  std::int32_t micro_batch = -1;  ///< -1: belongs to no micro-batch
  std::int32_t beside =
      -1;  ///< a forward that runs at once with a backward: the latter's micro-batch
  std::uint32_t index = 0;
  std::uint32_t first_dependency = 0;  ///< into Program::dependencies
  std::uint32_t dependency_count = 0;
};

/// A message between pipeline stages. A send and a receive match when their ranks are each other's
/// peers and (name, micro_batch, chunk of the sender) agree: see Task::micro_batch and
/// `sender_chunk`.
struct Message {
  std::string name;    ///< "activation" or "gradient"
  int peer_stage = 0;  ///< pipeline coordinate of the other side
  int sender_chunk = 0;
  base::Bytes bytes;
  std::vector<calibrate::CollectiveCost> cost;  ///< alone: [0] inside a scale-up domain, [1] across
};

/// A copy between a GPU and the memory of its host.
struct HostCopy {
  std::string name;  ///< "copy parameters in"
  CommKind kind = CommKind::parameter;
  base::Bytes bytes;
  calibrate::Duration cost;
};

enum class MemoryPart : std::uint8_t {
  weights,
  gradients,
  master_weights,
  optimizer,
  activations,
  experts,  ///< activations of routed experts: dispatched tokens and what follows
  logits,
  gathered,       ///< FSDP: whole units
  buffers,        ///< of collectives and libraries, from the framework's allocator
  communicators,  ///< of the communication library, past the allocator
  framework,      ///< the driver's context with the code of all kernels
  deferred,       ///< freed, but a collective that the host is ahead of has yet to read it
  fragmentation,  ///< reserved by the allocator, but in no tensor
};
inline constexpr int memory_part_count = 13;
std::string_view name_of(MemoryPart part);
/// Whether it is in tensors ("allocated"). What is not, but for fragmentation and what is deferred,
/// never comes from the framework's allocator ("reserved").
bool in_tensors(MemoryPart part);

/// A change of memory when a task starts or ends.
struct MemoryEvent {
  std::uint32_t task = 0;
  bool at_end = false;
  MemoryPart part = MemoryPart::activations;
  std::int64_t delta_bytes = 0;
  std::uint32_t what = 0;  ///< Program::memory_names
};

/// Held during the whole step.
struct HeldMemory {
  MemoryPart part = MemoryPart::weights;
  base::Bytes bytes;
  std::uint32_t what = 0;
};

struct Program {
  std::string name;                         ///< "stage 3"
  std::vector<Task> tasks;                  ///< tasks of one stream in the order they run
  std::vector<std::uint32_t> dependencies;  ///< earlier or later task indices of this program
  std::vector<MemoryEvent> memory;          ///< ordered by (task, at_end)
  std::vector<HeldMemory> held;
  std::vector<std::string> memory_names{""};  ///< of tensors, for the report
  std::uint32_t update = 0;                   ///< the first task after the last gradient
};

base::Bytes held_bytes(const Program& program, MemoryPart part);
/// Of all parts.
base::Bytes held_bytes(const Program& program);

struct StepGraph {
  strategies::RankGrid grid{{1, 1, 1, 1, 1}, strategies::default_order};
  std::vector<Program> programs;
  std::vector<std::uint16_t> program_of_rank;
  std::vector<Segment> segments;
  std::vector<CollectiveUse> collectives;
  std::vector<Message> messages;
  std::vector<HostCopy> copies;
  std::vector<std::string> labels;
  std::vector<std::string> sources;   ///< names of where durations come from
  std::vector<base::Kernel> kernels;  ///< of all pieces, in the order of their segments

  /// Shapes of groups, per set of axes in use: shape index of each group and the shapes.
  struct Groups {
    strategies::AxisSet axes;
    std::vector<calibrate::GroupShape> shapes;
    std::vector<std::uint16_t> shape_of_group;
  };
  std::vector<Groups> groups;

  const Groups& groups_of(strategies::AxisSet axes) const;
  /// Cost of a collective for the group that `rank` is in.
  const calibrate::CollectiveCost& cost_of(const CollectiveUse& use, int rank) const;
};

/// Puts a task at the end of a program; answers its index.
std::uint32_t add_task(Program& program, Task task, const std::vector<std::uint32_t>& dependencies);

/// Laws every step graph must keep; aborts on our bug: dependencies in range and acyclic together
/// with stream order, members of a communicator agree on its sequence of collectives, every send
/// has exactly one receive of equal bytes.
void check_step_graph(const StepGraph& graph);

}  // namespace sim
