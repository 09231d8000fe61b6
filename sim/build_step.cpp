#include "sim/build_step.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/check.hpp"
#include "sim/pricer.hpp"
#include "sim/schedule/schedule.hpp"
#include "sim/stage.hpp"
#include "sim/step_memory.hpp"

namespace sim {

namespace {

using base::Bytes;
using schedule::Cell;
using strategies::Axis;
using strategies::Chunk;
using strategies::ShardedBlock;

/// Builds the program of one pipeline stage.
class StageBuilder {
 public:
  StageBuilder(const StepInput& input, StepGraph& graph, Pricer& pricer, int stage,
               const std::vector<Chunk>& chunks)
      : plan_(input.plan),
        sharded_(input.sharded),
        graph_(graph),
        pricer_(pricer),
        stage_(stage),
        holds_(input.plan, input.sharded, chunks),
        memory_(input.plan, program_) {
    last_backward_.assign(chunks.size(), -1);
    gathered_.assign(chunks.size(), {});
  }

  Program build() {
    program_.name = fmt::format("stage {}", stage_);
    cells_ = schedule::schedule_for(plan_.schedule)
                 .cells({plan_.pipeline, plan_.virtual_stages, plan_.micro_batches()}, stage_);
    find_last_backwards();
    if (holds_.fully_sharded()) plan_gathers();
    if (holds_.gathers_ahead()) gather_parameters_ahead();
    for (std::size_t i = 0; i < cells_.size(); ++i)
      cells_[i].forward ? forward_cell(i) : backward_cell(i);
    finish_gradients();
    optimizer();
    if (holds_.gathers_shards() && !holds_.gathers_ahead()) gather_parameters_after();
    resident_memory();
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
      if (!cells_[i].forward)
        last_backward_[static_cast<std::size_t>(cells_[i].chunk)] = static_cast<int>(i);
  }

  // --- tasks -----------------------------------------------------------------------------------

  std::uint32_t add(Task task, const std::vector<std::uint32_t>& dependencies) {
    task.first_dependency = static_cast<std::uint32_t>(program_.dependencies.size());
    task.dependency_count = static_cast<std::uint32_t>(dependencies.size());
    program_.dependencies.insert(program_.dependencies.end(), dependencies.begin(),
                                 dependencies.end());
    program_.tasks.push_back(task);
    return static_cast<std::uint32_t>(program_.tasks.size() - 1);
  }

  std::uint32_t run(std::uint32_t segment, const Cell& cell,
                    const std::vector<std::uint32_t>& dependencies) {
    std::vector<std::uint32_t> all = dependencies;
    all.insert(all.end(), blocking_sends_.begin(), blocking_sends_.end());
    blocking_sends_.clear();
    return add({.kind = TaskKind::run,
                .stream = Stream::compute,
                .chunk = static_cast<std::int16_t>(cell.chunk),
                .micro_batch = cell.micro_batch,
                .index = segment},
               all);
  }

  std::uint32_t communicate(CommKind kind, const DataCollective& what, const Cell& cell,
                            const std::vector<std::uint32_t>& dependencies) {
    return add({.kind = TaskKind::collective,
                .stream = what.stream,
                .chunk = static_cast<std::int16_t>(cell.chunk),
                .micro_batch = cell.micro_batch,
                .index = pricer_.collective(what.name, kind, what.communication)},
               dependencies);
  }

  std::uint32_t segment(bool forward, int chunk, Range range) {
    const auto key = std::tuple(forward, chunk, range);
    if (const auto known = segments_.find(key); known != segments_.end()) return known->second;
    Segment made;
    made.phase = forward ? Phase::forward : Phase::backward;
    made.name = fmt::format("{} chunk {}", forward ? "forward" : "backward", chunk);
    if (range != holds_.whole(chunk))
      made.name += fmt::format(" units {}-{}", range.first, range.end - 1);
    for (int i = range.first; i < range.end; ++i) {
      const int unit = forward ? i : range.end - 1 - (i - range.first);
      const ShardedBlock& source = holds_.block(chunk, unit);
      for (const strategies::Work& work : forward ? source.forward : source.backward)
        pricer_.append(made, work);
    }
    pricer_.close(made);
    graph_.segments.push_back(std::move(made));
    const auto index = static_cast<std::uint32_t>(graph_.segments.size() - 1);
    segments_.emplace(key, index);
    return index;
  }

  // --- pipeline --------------------------------------------------------------------------------

  int virtual_stage(int chunk) const { return chunk * plan_.pipeline + stage_; }
  int virtual_stage_count() const { return plan_.pipeline * plan_.virtual_stages; }

  /// The receive that `cell` waits for: activations come from the virtual stage before, gradients
  /// from the one behind.
  std::vector<std::uint32_t> receive(const Cell& cell) {
    const int other = virtual_stage(cell.chunk) + (cell.forward ? -1 : 1);
    if (other < 0 || other >= virtual_stage_count()) return {};
    return {transfer(TaskKind::receive, cell, other, other / plan_.pipeline, {})};
  }

  void send(const Cell& cell, std::uint32_t after) {
    const int other = virtual_stage(cell.chunk) + (cell.forward ? 1 : -1);
    if (other < 0 || other >= virtual_stage_count()) return;
    const std::uint32_t task = transfer(TaskKind::send, cell, other, cell.chunk, {after});
    if (!plan_.overlap.point_to_point) blocking_sends_.push_back(task);
  }

  std::uint32_t transfer(TaskKind kind, const Cell& cell, int other, int sender_chunk,
                         const std::vector<std::uint32_t>& dependencies) {
    return add({.kind = kind,
                .stream = kind == TaskKind::send ? Stream::send : Stream::receive,
                .chunk = static_cast<std::int16_t>(cell.chunk),
                .micro_batch = cell.micro_batch,
                .index = pricer_.message(cell.forward ? "activation" : "gradient",
                                         other % plan_.pipeline, sender_chunk, sharded_.boundary)},
               dependencies);
  }

  // --- cells -----------------------------------------------------------------------------------

  void forward_cell(std::size_t index) {
    const Cell& cell = cells_[index];
    std::vector<std::uint32_t> waits = receive(cell);
    std::vector<Range>& ahead = gathered_[static_cast<std::size_t>(cell.chunk)];
    std::vector<Range> parts{holds_.whole(cell.chunk)};
    if (holds_.fully_sharded() || !ahead.empty())
      parts = holds_.buckets(cell.chunk, /*backward=*/false);
    for (std::size_t part = 0; part < parts.size(); ++part) {
      if (holds_.fully_sharded()) waits.push_back(gather_unit());
      if (!ahead.empty()) waits.push_back(gather_tasks_.at({cell.chunk, parts[part]}));
      const std::uint32_t task = run(segment(true, cell.chunk, parts[part]), cell, waits);
      if (part == 0) memory_.begin_forward(task, saved(cell.chunk));
      if (holds_.fully_sharded()) release_unit(task, cell, parts[part]);
      waits.clear();
      if (part + 1 == parts.size()) send(cell, task);
    }
    ahead.clear();  // only the first forward of a chunk waits for its parameters
  }

  void backward_cell(std::size_t index) {
    const Cell& cell = cells_[index];
    std::vector<std::uint32_t> waits = receive(cell);
    const bool reduce = holds_.reduces(is_last_backward(index));
    const bool split = holds_.splits_backward(reduce);
    const std::vector<Range> parts = split ? holds_.buckets(cell.chunk, /*backward=*/true)
                                           : std::vector<Range>{holds_.whole(cell.chunk)};
    for (std::size_t part = 0; part < parts.size(); ++part) {
      if (holds_.fully_sharded()) waits.push_back(gather_unit());
      const std::uint32_t task = run(segment(false, cell.chunk, parts[part]), cell, waits);
      if (part == 0) memory_.begin_backward(task, working(cell.chunk));
      if (part + 1 == parts.size())
        memory_.end_backward(task, saved(cell.chunk), working(cell.chunk));
      if (holds_.fully_sharded()) release_unit(task, cell, parts[part]);
      waits.clear();
      if (reduce && split) reduce_gradients(cell, parts[part], task, is_last_backward(index));
      if (part + 1 == parts.size()) {
        send(cell, task);
        if (reduce && !split) pending_.push_back({cell, task, is_last_backward(index)});
        if (reduce && !split && plan_.zero >= 2) flush_pending();
      }
    }
  }

  SavedBytes saved(int chunk) const {
    SavedBytes sum;
    for (int unit = 0; unit < holds_.whole(chunk).end; ++unit) {
      const bool head = holds_.block_index(chunk, unit) == sharded_.head_block;
      (head ? sum.logits : sum.activations) += holds_.block(chunk, unit).saved;
    }
    return sum;
  }
  Bytes working(int chunk) const {
    Bytes most;
    for (int unit = 0; unit < holds_.whole(chunk).end; ++unit)
      most = std::max(most, holds_.block(chunk, unit).working);
    return most;
  }

  // --- data parallel ---------------------------------------------------------------------------

  /// Reduces the gradients of a bucket after `after`.
  void reduce_gradients(const Cell& cell, Range range, std::uint32_t after, bool last) {
    const std::vector<DataCollective> reduction = holds_.reduction(cell.chunk, range);
    for (const DataCollective& one : reduction)
      after = communicate(CommKind::data, one, cell, {after});
    if (last && !reduction.empty()) before_optimizer_.push_back(after);
  }

  struct Pending {
    Cell cell;
    std::uint32_t task = 0;
    bool last = false;
  };

  void flush_pending() {
    for (const Pending& pending : pending_)
      for (const Range& range : holds_.buckets(pending.cell.chunk, /*backward=*/true))
        reduce_gradients(pending.cell, range, pending.task, pending.last);
    pending_.clear();
  }

  void finish_gradients() {
    // Without overlap nothing is sent before the last backward of the whole stage is over.
    const auto last_run = static_cast<std::uint32_t>(last_task(Stream::compute));
    for (Pending& pending : pending_) pending.task = last_run;
    flush_pending();
  }

  int last_task(Stream stream) const {
    for (std::size_t i = program_.tasks.size(); i-- > 0;)
      if (program_.tasks[i].stream == stream) return static_cast<int>(i);
    return 0;
  }

  /// FSDP: what is gathered in the course of the step, one unit after the other.
  void plan_gathers() {
    for (const Cell& cell : cells_)
      for (const Range& range : holds_.buckets(cell.chunk, /*backward=*/!cell.forward))
        unit_uses_.emplace_back(cell, range);
  }

  /// The gathering of the unit that is computed next. The one after it is asked for here too if
  /// it overlaps, before gradients of this unit queue up on the same communicator, and is gathered
  /// while this unit is computed, but not earlier: two gathered units are held at a time.
  std::uint32_t gather_unit() {
    const std::size_t unit = unit_runs_.size();
    const std::size_t ahead = plan_.overlap.parameter_gather ? 2 : 1;
    while (unit_gathers_.size() < std::min(unit + ahead, unit_uses_.size())) {
      const auto& [cell, range] = unit_uses_[unit_gathers_.size()];
      const DataCollective gathering = holds_.gathering(cell.chunk, range);
      std::vector<std::uint32_t> waits;
      if (unit_gathers_.size() >= ahead) waits.push_back(unit_runs_[unit_gathers_.size() - ahead]);
      const std::uint32_t task = communicate(CommKind::parameter, gathering, cell, waits);
      memory_.change(task, /*at_end=*/false, MemoryPart::buffers,
                     gathering.communication.bytes.count());
      unit_gathers_.push_back(task);
    }
    return unit_gathers_[unit];
  }
  void release_unit(std::uint32_t task, const Cell& cell, Range range) {
    unit_runs_.push_back(task);
    memory_.change(task, /*at_end=*/true, MemoryPart::buffers,
                   -holds_.parameter_bytes(holds_.parameters(cell.chunk, range)).count());
  }

  /// ZeRO-1 and -2: the parameters that the optimizer of the step before has updated in shards.
  void gather_parameters_ahead() {
    for (int chunk = 0; chunk < holds_.chunks(); ++chunk)
      for (const Range& range : holds_.buckets(chunk, /*backward=*/false)) {
        gathered_[static_cast<std::size_t>(chunk)].push_back(range);
        gather_tasks_[{chunk, range}] = gather_shards(chunk, range, {});
      }
  }
  void gather_parameters_after() {
    const auto optimizer = static_cast<std::uint32_t>(last_task(Stream::compute));
    for (int chunk = 0; chunk < holds_.chunks(); ++chunk)
      for (const Range& range : holds_.buckets(chunk, /*backward=*/false))
        gather_shards(chunk, range, {optimizer});
  }
  std::uint32_t gather_shards(int chunk, Range range, const std::vector<std::uint32_t>& waits) {
    return communicate(CommKind::parameter, holds_.gathering(chunk, range),
                       {.forward = true, .micro_batch = -1, .chunk = chunk}, waits);
  }

  void optimizer() {
    Segment made;
    made.name = "optimizer";
    made.phase = Phase::optimizer;
    pricer_.append(made, "adam", Phase::optimizer,
                   base::MemoryBound{holds_.optimizer_traffic(), 1});
    graph_.segments.push_back(std::move(made));
    run(static_cast<std::uint32_t>(graph_.segments.size() - 1),
        {.forward = false, .micro_batch = -1, .chunk = 0}, before_optimizer_);
  }

  void resident_memory() {
    memory_.resident(holds_.all_parameters(), holds_.shards());
    if (holds_.copies() && plan_.zero >= 2) {
      std::int64_t largest = 0;
      for (int chunk = 0; chunk < holds_.chunks(); ++chunk)
        for (const Range& range : holds_.buckets(chunk, /*backward=*/true))
          largest = std::max(largest, holds_.parameters(chunk, range));
      memory_.resident_buffer(holds_.gradient_bytes(largest));
    }
  }

  const strategies::Plan& plan_;
  const strategies::ShardedGraph& sharded_;
  StepGraph& graph_;
  Pricer& pricer_;
  int stage_;
  Stage holds_;
  Program program_;
  StepMemory memory_;
  std::vector<Cell> cells_;
  std::vector<int> last_backward_;  // per chunk: its last backward cell
  std::map<std::tuple<bool, int, Range>, std::uint32_t> segments_;
  std::vector<std::uint32_t> blocking_sends_;  // what the next computation waits for
  std::vector<std::vector<Range>> gathered_;   // per chunk: ranges gathered ahead
  std::map<std::pair<int, Range>, std::uint32_t> gather_tasks_;
  std::vector<std::pair<Cell, Range>> unit_uses_;  // FSDP: units in the order they are computed,
  std::vector<std::uint32_t> unit_gathers_;        // their gatherings
  std::vector<std::uint32_t> unit_runs_;           // and computations
  std::vector<Pending> pending_;                   // backwards whose gradients are not yet sent
  std::vector<std::uint32_t> before_optimizer_;
};

}  // namespace

StepGraph build_step(const StepInput& input) {
  StepGraph graph;
  graph.grid = input.plan.grid();
  graph.sources = input.profile.sources();
  CHECK_INVARIANT(static_cast<std::size_t>(graph.grid.size()) == input.gpu_of_rank.size());
  Pricer pricer(input, graph);
  const std::vector<std::vector<Chunk>> cut = strategies::cut_layers(input.plan, input.model);
  for (int stage = 0; stage < input.plan.pipeline; ++stage)
    graph.programs.push_back(
        StageBuilder(input, graph, pricer, stage, cut[static_cast<std::size_t>(stage)]).build());
  for (int rank = 0; rank < graph.grid.size(); ++rank)
    graph.program_of_rank.push_back(
        static_cast<std::uint16_t>(graph.grid.coordinate(rank, Axis::pipeline)));
  check_step_graph(graph);
  return graph;
}

}  // namespace sim
