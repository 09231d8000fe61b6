#include "sim/build_step.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "base/check.hpp"
#include "sim/allocator.hpp"
#include "sim/cell_work.hpp"
#include "sim/data_parallel.hpp"
#include "sim/gradient_exchange.hpp"
#include "sim/library_memory.hpp"
#include "sim/offload.hpp"
#include "sim/optimizer_step.hpp"
#include "sim/pricer.hpp"
#include "sim/schedule/schedule.hpp"
#include "sim/stage.hpp"
#include "sim/stage_memory.hpp"
#include "sim/step_memory.hpp"

namespace sim {

namespace {

using base::Bytes;
using schedule::Cell;
using schedule::CellKind;
using strategies::Axis;
using strategies::Chunk;
using strategies::Place;
using strategies::Work;

/// Builds the program of one pipeline stage.
class StageBuilder {
 public:
  StageBuilder(const StepInput& input, StepGraph& graph, Pricer& pricer,
               const schedule::ScheduleTable& table, int stage, const std::vector<Chunk>& chunks)
      : model_(input.model),
        plan_(input.plan),
        sharded_(input.sharded),
        graph_(graph),
        pricer_(pricer),
        shape_(table.shape),
        cells_(table.stages[static_cast<std::size_t>(stage)]),
        stage_(stage),
        holds_(input.plan, input.sharded, chunks),
        cluster_(input.cluster),
        gpu_(input.gpu_of_rank.front()),
        memory_(input.plan, program_),
        data_(input.plan, holds_, pricer, program_, memory_) {
    last_backward_.assign(chunks.size(), -1);
  }

  Program build() {
    program_.name = fmt::format("stage {}", stage_);
    find_last_backwards();
    data_.begin(cells_);
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      if (cells_[i].overlapped && in_one_piece(i) && in_one_piece(i + 1)) {
        overlapped_cells(i);
        ++i;
      } else {
        cells_[i].forward() ? forward_cell(i) : backward_cell(i);
      }
    }
    const auto last_run = static_cast<std::uint32_t>(last_task(Stream::compute));
    const std::vector<std::uint32_t> reduced = data_.finish(last_run);
    data_.after_optimizer(update(exchange_gradients(reduced, last_run)));
    hold_memory();
    memory_.finish();
    return std::move(program_);
  }

 private:
  // --- what there is ---------------------------------------------------------------------------

  bool is_last_backward(std::size_t cell) const {
    return last_backward_[static_cast<std::size_t>(cells_[cell].chunk)] == static_cast<int>(cell);
  }

  void find_last_backwards() {
    for (std::size_t i = 0; i < cells_.size(); ++i)
      if (cells_[i].makes_gradients())
        last_backward_[static_cast<std::size_t>(cells_[i].chunk)] = static_cast<int>(i);
  }

  // --- tasks -----------------------------------------------------------------------------------

  std::uint32_t run(std::uint32_t segment, const Cell& cell,
                    const std::vector<std::uint32_t>& dependencies) {
    std::vector<std::uint32_t> all = dependencies;
    all.insert(all.end(), blocking_sends_.begin(), blocking_sends_.end());
    blocking_sends_.clear();
    return add_task(program_,
                    {.kind = TaskKind::run,
                     .stream = Stream::compute,
                     .chunk = static_cast<std::int16_t>(cell.chunk),
                     .micro_batch = cell.micro_batch,
                     .index = segment},
                    all);
  }

  static std::string_view name_of(CellKind kind) {
    switch (kind) {
      case CellKind::forward: return "forward";
      case CellKind::backward: return "backward";
      case CellKind::backward_input: return "input gradient";
      case CellKind::backward_weight: return "weight gradient";
    }
    return "?";
  }

  /// `messages`: that it waits for.
  std::uint32_t add_segment(std::string name, Phase phase, int messages,
                            const std::vector<Work>& works) {
    Segment made;
    made.name = std::move(name);
    made.phase = phase;
    pricer_.append_exchange(made, messages, sharded_.behind_message);
    for (const Work& one : works) pricer_.append(made, one);
    pricer_.close(made);
    graph_.segments.push_back(std::move(made));
    return static_cast<std::uint32_t>(graph_.segments.size() - 1);
  }

  std::uint32_t segment(const Cell& cell, Range range, bool received) {
    const auto [known, fresh] =
        segments_.try_emplace(std::tuple(cell.kind, cell.chunk, range, received), 0);
    if (!fresh) return known->second;
    std::string name = fmt::format("{} chunk {}", name_of(cell.kind), cell.chunk);
    if (range != holds_.whole(cell.chunk))
      name += fmt::format(" units {}-{}", range.first, range.end - 1);
    known->second = add_segment(std::move(name), cell.forward() ? Phase::forward : Phase::backward,
                                received ? 1 : 0, cell_work(holds_, cell, range));
    return known->second;
  }

  std::uint32_t overlapped_segment(const Cell& forward, const Cell& backward) {
    const auto [known, fresh] = overlapped_segments_.try_emplace(
        std::tuple(backward.kind, forward.chunk, backward.chunk), 0);
    if (fresh)
      known->second = add_segment(
          fmt::format("forward chunk {} + {} chunk {}", forward.chunk, name_of(backward.kind),
                      backward.chunk),
          Phase::backward, (neighbour(forward, true) ? 1 : 0) + (neighbour(backward, true) ? 1 : 0),
          overlapped(cell_work(holds_, forward, holds_.whole(forward.chunk)),
                     cell_work(holds_, backward, holds_.whole(backward.chunk))));
    return known->second;
  }

  // --- pipeline --------------------------------------------------------------------------------

  /// Where a cell's result goes, or with `back` where its input comes from; nothing at an end of
  /// the model and where this very rank is next.
  std::optional<Place> neighbour(const Cell& cell, bool back) const {
    if (!cell.passes_on()) return std::nullopt;
    const auto other = shape_.next({stage_, cell.chunk}, cell.forward() != back);
    return other && other->stage != stage_ ? other : std::nullopt;
  }

  /// The receive that `cell` waits for: activations come from the virtual stage before, gradients
  /// from the one behind.
  std::vector<std::uint32_t> receive(const Cell& cell) {
    const auto from = neighbour(cell, /*back=*/true);
    if (!from) return {};
    return {transfer(TaskKind::receive, cell, from->stage, from->chunk, {})};
  }

  /// Whether a message comes right before this part of the cell.
  bool received(const Cell& cell, const Part& part, const std::vector<Part>& parts) const {
    return &part == &parts.front() && neighbour(cell, /*back=*/true);
  }

  void send(const Cell& cell, std::uint32_t after) {
    const auto to = neighbour(cell, /*back=*/false);
    if (!to) return;
    const std::uint32_t task = transfer(TaskKind::send, cell, to->stage, cell.chunk, {after});
    if (!plan_.overlaps_messages()) blocking_sends_.push_back(task);
  }

  std::uint32_t transfer(TaskKind kind, const Cell& cell, int peer_stage, int sender_chunk,
                         const std::vector<std::uint32_t>& dependencies) {
    return message(kind, cell,
                   pricer_.message(cell.forward() ? "activation" : "gradient", peer_stage,
                                   sender_chunk, sharded_.boundary),
                   dependencies);
  }

  std::uint32_t message(TaskKind kind, const Cell& cell, std::uint32_t index,
                        const std::vector<std::uint32_t>& dependencies) {
    return add_task(program_,
                    {.kind = kind,
                     .stream = kind == TaskKind::send ? Stream::send : Stream::receive,
                     .chunk = static_cast<std::int16_t>(cell.chunk),
                     .micro_batch = cell.micro_batch,
                     .index = index},
                    dependencies);
  }

  // --- cells -----------------------------------------------------------------------------------

  void forward_cell(std::size_t index) {
    const Cell& cell = cells_[index];
    std::vector<std::uint32_t> waits = receive(cell);
    const std::vector<Part> parts = data_.parts(cell, /*last_backward=*/false);
    for (const Part& part : parts) {
      const std::vector<std::uint32_t> data = data_.before(cell, part);
      waits.insert(waits.end(), data.begin(), data.end());
      const std::uint32_t task =
          run(segment(cell, part.units, received(cell, part, parts)), cell, waits);
      memory_.keep(task, kept(cell.chunk, part.units));
      data_.after_forward(cell, task);
      waits.clear();
      if (&part == &parts.back()) send(cell, task);
    }
  }

  /// A backward, or one of its two parts.
  void backward_cell(std::size_t index) {
    const Cell& cell = cells_[index];
    const bool last = is_last_backward(index);
    std::vector<std::uint32_t> waits = receive(cell);
    const std::vector<Part> parts = data_.parts(cell, last);
    for (const Part& part : parts) {
      const std::vector<std::uint32_t> data = data_.before(cell, part);
      waits.insert(waits.end(), data.begin(), data.end());
      const std::uint32_t task =
          run(segment(cell, part.units, received(cell, part, parts)), cell, waits);
      memory_of_backward(cell, part.units, task);
      after_backward(cell, part, task, last);
      waits.clear();
      if (&part == &parts.back()) send(cell, task);
    }
  }

  /// Whether nothing is gathered or reduced in the middle of a cell.
  bool in_one_piece(std::size_t index) const {
    return !holds_.fully_sharded() &&
           data_.parts(cells_[index], is_last_backward(index)).size() == 1;
  }

  /// A forward and a backward that run at once.
  void overlapped_cells(std::size_t index) {
    const bool forward_first = cells_[index].forward();
    const std::size_t forward_index = forward_first ? index : index + 1;
    const std::size_t backward_index = forward_first ? index + 1 : index;
    const Cell& forward = cells_[forward_index];
    const Cell& backward = cells_[backward_index];
    const bool last = is_last_backward(backward_index);
    const Part forward_part = data_.parts(forward, /*last_backward=*/false).front();
    const Part backward_part = data_.parts(backward, last).front();
    std::vector<std::uint32_t> waits;
    const auto wait_for = [&waits](const std::vector<std::uint32_t>& more) {
      waits.insert(waits.end(), more.begin(), more.end());
    };
    for (const std::size_t one : {index, index + 1}) wait_for(receive(cells_[one]));
    wait_for(data_.before(forward, forward_part));
    wait_for(data_.before(backward, backward_part));
    const std::uint32_t task = run(overlapped_segment(forward, backward), forward, waits);
    program_.tasks[task].beside = backward.micro_batch;
    memory_.keep(task, kept(forward.chunk, forward_part.units));
    memory_of_backward(backward, backward_part.units, task);
    data_.after_forward(forward, task);
    after_backward(backward, backward_part, task, last);
    for (const std::size_t one : {index, index + 1}) send(cells_[one], task);
  }

  void after_backward(const Cell& cell, const Part& part, std::uint32_t task, bool last) {
    if (cell.makes_gradients())
      data_.after_backward(cell, part, task, last);
    else
      data_.after_input_gradient(task);
  }

  // --- memory ----------------------------------------------------------------------------------

  /// What was kept of the forward goes with the input gradient, but for what the weight gradient
  /// needs, which goes with that.
  void memory_of_backward(const Cell& cell, Range units, std::uint32_t task) {
    if (cell.passes_on()) {
      memory_.during(task, MemoryPart::activations, working_bytes(holds_, cell.chunk, units),
                     "while a backward runs");
      memory_.drop(task, kept(cell.chunk, units));
    }
    if (cell.kind == CellKind::backward) return;
    const std::int64_t kept = kept_for_weight_bytes(holds_, cell.chunk, units).count();
    memory_.change(task, /*at_end=*/true, MemoryPart::activations,
                   cell.makes_gradients() ? -kept : kept, "for weight gradients");
  }

  /// Of a forward on these units, alike blocks together.
  const std::vector<KeptTensors>& kept(int chunk, Range units) {
    const auto [known, fresh] = kept_.try_emplace({chunk, units});
    if (!fresh) return known->second;
    std::map<int, int> counts;  // by block
    for (int unit = units.first; unit < units.end; ++unit)
      ++counts[holds_.block_index(chunk, unit)];
    for (const auto& [index, count] : counts) {
      const strategies::ShardedBlock& block = sharded_.blocks[static_cast<std::size_t>(index)];
      const MemoryPart part =
          index == sharded_.head_block ? MemoryPart::logits : MemoryPart::activations;
      known->second.push_back({part, block.name, (block.saved - block.saved_by_experts) * count});
      known->second.push_back({MemoryPart::experts, block.name, block.saved_by_experts * count});
    }
    return known->second;
  }

  // --- the end of the step -----------------------------------------------------------------------

  int last_task(Stream stream) const {
    for (std::size_t i = program_.tasks.size(); i-- > 0;)
      if (program_.tasks[i].stream == stream) return static_cast<int>(i);
    return 0;
  }

  /// Adds up gradients with the rank that holds the same parameters. Answers what the optimizer
  /// waits for.
  std::vector<std::uint32_t> exchange_gradients(std::vector<std::uint32_t> reduced,
                                                std::uint32_t last_run) {
    const Cell whole_step{.kind = CellKind::backward_weight, .micro_batch = -1};
    std::vector<std::uint32_t> complete = reduced;
    complete.push_back(last_run);
    for (const GradientExchange& one : gradient_exchanges(plan_, model_, holds_, stage_)) {
      const std::uint32_t index = pricer_.message(one.name, one.peer_stage, 0, one.bytes);
      reduced.push_back(message(TaskKind::send, whole_step, index, complete));
      reduced.push_back(message(TaskKind::receive, whole_step, index, complete));
    }
    return reduced;
  }

  /// Lays the links that end the step one behind the other; answers the last one.
  std::uint32_t update(std::vector<std::uint32_t> waits) {
    bool first = true;
    for (const UpdateLink& link : update_links(plan_, holds_)) {
      const std::uint32_t task = update_link(link, waits);
      memory_.during(task, MemoryPart::optimizer, link.temporary, "while it updates");
      if (first) program_.update = task;
      first = false;
      waits = {task};
    }
    return waits.front();
  }

  std::uint32_t update_link(const UpdateLink& link, const std::vector<std::uint32_t>& waits) {
    const Cell whole_step{.kind = CellKind::backward_weight, .micro_batch = -1};
    Task task{.kind = TaskKind::collective};
    switch (link.kind) {
      case UpdateLink::Kind::kernels:
      case UpdateLink::Kind::host: return run(update_segment(link), whole_step, waits);
      case UpdateLink::Kind::collective:
        task.stream = link.collective.stream;
        task.index = pricer_.collective(link.name, link.purpose, link.collective.communication);
        break;
      case UpdateLink::Kind::copy:
        task.kind = TaskKind::copy;
        task.stream = link.stream;
        task.index = pricer_.host_copy(link.name, link.purpose, link.bytes);
        break;
    }
    return add_task(program_, task, waits);
  }

  std::uint32_t update_segment(const UpdateLink& link) {
    Segment made;
    made.name = link.name;
    made.phase = Phase::optimizer;
    for (const base::Kernel& kernel : link.kernels)
      pricer_.append(made, link.name, Phase::optimizer, kernel);
    if (link.kind == UpdateLink::Kind::host)
      pricer_.append_on_host(made, link.name, Phase::optimizer,
                             host_adam_time(link.parameters, cluster_, gpu_),
                             "Adam on the CPUs (arXiv 2101.06840)");
    if (const base::Seconds host = launch_time(link); host > made.compute)
      pricer_.append_on_host(made, fmt::format("host launches {}", link.name), Phase::host,
                             host - made.compute, "host launches of the optimizer");
    graph_.segments.push_back(std::move(made));
    return static_cast<std::uint32_t>(graph_.segments.size() - 1);
  }

  void hold_memory() {
    hold_stage(plan_, sharded_, holds_, cluster_.gpu_spec(gpu_), memory_);
    data_.hold_buffers();
  }

  const strategies::ModelSpec& model_;
  const strategies::Plan& plan_;
  const strategies::ShardedGraph& sharded_;
  StepGraph& graph_;
  Pricer& pricer_;
  const strategies::PipelineShape shape_;
  const std::vector<Cell>& cells_;
  int stage_;
  Stage holds_;
  Program program_;
  const topology::Cluster& cluster_;
  topology::GpuId gpu_;
  StepMemory memory_;
  DataParallel data_;
  std::vector<int> last_backward_;  // per chunk: the last cell that makes gradients
  std::map<std::tuple<CellKind, int, Range, bool>, std::uint32_t> segments_;
  std::map<std::pair<int, Range>, std::vector<KeptTensors>> kept_;  // by chunk and units
  std::map<std::tuple<CellKind, int, int>, std::uint32_t> overlapped_segments_;  // and both chunks
  std::vector<std::uint32_t> blocking_sends_;  // what the next computation waits for
};

}  // namespace

StepGraph build_step(const StepInput& input) {
  StepGraph graph;
  graph.grid = input.plan.grid();
  graph.sources = input.profile.sources();
  CHECK_INVARIANT(static_cast<std::size_t>(graph.grid.size()) == input.gpu_of_rank.size());
  Pricer pricer(input, graph);
  const std::vector<std::vector<Chunk>> cut = strategies::cut_layers(input.plan, input.model);
  const schedule::ScheduleTable table = schedule::table_of(input.plan);
  for (int stage = 0; stage < input.plan.pipeline; ++stage)
    graph.programs.push_back(
        StageBuilder(input, graph, pricer, table, stage, cut[static_cast<std::size_t>(stage)])
            .build());
  for (int rank = 0; rank < graph.grid.size(); ++rank)
    graph.program_of_rank.push_back(
        static_cast<std::uint16_t>(graph.grid.coordinate(rank, Axis::pipeline)));
  hold_communicators(graph);
  add_allocator_waits(input.plan.execution,
                      input.cluster.gpu_spec(input.gpu_of_rank.front()).memory, graph, pricer);
  check_step_graph(graph);
  return graph;
}

}  // namespace sim
