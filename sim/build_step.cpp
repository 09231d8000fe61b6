#include "sim/build_step.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/check.hpp"
#include "sim/data_parallel.hpp"
#include "sim/offload.hpp"
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
        cluster_(input.cluster),
        gpu_(input.gpu_of_rank.front()),
        memory_(input.plan, program_),
        data_(input.plan, holds_, pricer, program_, memory_) {
    last_backward_.assign(chunks.size(), -1);
  }

  Program build() {
    program_.name = fmt::format("stage {}", stage_);
    cells_ = schedule::schedule_for(plan_.schedule)
                 .cells({plan_.pipeline, plan_.virtual_stages, plan_.micro_batches()}, stage_);
    find_last_backwards();
    data_.begin(cells_);
    for (std::size_t i = 0; i < cells_.size(); ++i)
      cells_[i].forward ? forward_cell(i) : backward_cell(i);
    const auto last_run = static_cast<std::uint32_t>(last_task(Stream::compute));
    data_.after_optimizer(optimizer(data_.finish(last_run)));
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
    return add_task(
        program_,
        {.kind = kind,
         .stream = kind == TaskKind::send ? Stream::send : Stream::receive,
         .chunk = static_cast<std::int16_t>(cell.chunk),
         .micro_batch = cell.micro_batch,
         .index = pricer_.message(cell.forward ? "activation" : "gradient", other % plan_.pipeline,
                                  sender_chunk, sharded_.boundary)},
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
      const std::uint32_t task = run(segment(true, cell.chunk, part.units), cell, waits);
      if (&part == &parts.front()) memory_.begin_forward(task, saved(cell.chunk));
      data_.after_forward(cell, task);
      waits.clear();
      if (&part == &parts.back()) send(cell, task);
    }
  }

  void backward_cell(std::size_t index) {
    const Cell& cell = cells_[index];
    const bool last = is_last_backward(index);
    std::vector<std::uint32_t> waits = receive(cell);
    const std::vector<Part> parts = data_.parts(cell, last);
    for (const Part& part : parts) {
      const std::vector<std::uint32_t> data = data_.before(cell, part);
      waits.insert(waits.end(), data.begin(), data.end());
      const std::uint32_t task = run(segment(false, cell.chunk, part.units), cell, waits);
      if (&part == &parts.front()) memory_.begin_backward(task, working(cell.chunk));
      if (&part == &parts.back())
        memory_.end_backward(task, saved(cell.chunk), working(cell.chunk));
      data_.after_backward(cell, part, task, last);
      waits.clear();
      if (&part == &parts.back()) send(cell, task);
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

  // --- the end of the step -----------------------------------------------------------------------

  int last_task(Stream stream) const {
    for (std::size_t i = program_.tasks.size(); i-- > 0;)
      if (program_.tasks[i].stream == stream) return static_cast<int>(i);
    return 0;
  }

  std::uint32_t optimizer(const std::vector<std::uint32_t>& dependencies) {
    Segment made;
    made.name = "optimizer";
    made.phase = Phase::optimizer;
    if (holds_.offloads())
      pricer_.append_on_host(made, "adam on the host", Phase::optimizer,
                             host_adam_time(holds_.updated_parameters(), cluster_, gpu_),
                             "Adam on the CPUs (arXiv 2101.06840)");
    else
      pricer_.append(made, "adam", Phase::optimizer,
                     base::MemoryBound{holds_.optimizer_traffic(), 1});
    graph_.segments.push_back(std::move(made));
    return run(static_cast<std::uint32_t>(graph_.segments.size() - 1),
               {.forward = false, .micro_batch = -1, .chunk = 0}, dependencies);
  }

  void resident_memory() {
    for (int c = 0; c < static_cast<int>(holds_.classes().size()); ++c)
      memory_.resident(holds_.parameters(c), holds_.classes()[static_cast<std::size_t>(c)].shards);
    data_.resident();
  }

  const strategies::Plan& plan_;
  const strategies::ShardedGraph& sharded_;
  StepGraph& graph_;
  Pricer& pricer_;
  int stage_;
  Stage holds_;
  Program program_;
  const topology::Cluster& cluster_;
  topology::GpuId gpu_;
  StepMemory memory_;
  DataParallel data_;
  std::vector<Cell> cells_;
  std::vector<int> last_backward_;  // per chunk: its last backward cell
  std::map<std::tuple<bool, int, Range>, std::uint32_t> segments_;
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
