#include "sim/memory_floor.hpp"

#include <algorithm>

#include "sim/stage.hpp"
#include "sim/stage_memory.hpp"
#include "sim/step_memory.hpp"

namespace sim {

namespace {

using base::Bytes;
using schedule::Cell;

/// Activations of one stage as its cells come and go.
class Activations {
 public:
  explicit Activations(const Stage& stage) {
    for (int chunk = 0; chunk < stage.chunks(); ++chunk) {
      const Range all = stage.whole(chunk);
      kept_.push_back(kept_bytes(stage, chunk, all));
      for_weight_.push_back(kept_for_weight_bytes(stage, chunk, all));
      working_.push_back(working_bytes(stage, chunk, all));
    }
  }

  /// The most at once. Cells that run at once with others may do so one after the other, which
  /// needs less.
  Bytes most(const std::vector<Cell>& cells) {
    for (const Cell& cell : cells) {
      begin(cell);
      end(cell);
    }
    return most_;
  }

 private:
  void begin(const Cell& cell) {
    const auto chunk = static_cast<std::size_t>(cell.chunk);
    if (cell.forward()) now_ += kept_[chunk];
    most_ = std::max(most_, cell.forward() || !cell.passes_on() ? now_ : now_ + working_[chunk]);
  }

  void end(const Cell& cell) {
    const auto chunk = static_cast<std::size_t>(cell.chunk);
    if (cell.forward()) return;
    if (cell.passes_on()) now_ -= kept_[chunk];
    if (cell.kind == schedule::CellKind::backward) return;
    if (cell.makes_gradients())
      now_ -= for_weight_[chunk];
    else
      now_ += for_weight_[chunk];
  }

  std::vector<Bytes> kept_;  // by chunk
  std::vector<Bytes> for_weight_;
  std::vector<Bytes> working_;
  Bytes now_;
  Bytes most_;
};

}  // namespace

Bytes memory_floor(const strategies::Plan& plan, const strategies::ShardedGraph& sharded,
                   const std::vector<std::vector<strategies::Chunk>>& chunks,
                   const schedule::ScheduleTable& table, const topology::GpuSpec& gpu) {
  Bytes most;
  for (std::size_t s = 0; s < chunks.size(); ++s) {
    const Stage stage(plan, sharded, chunks[s]);
    Program program;
    StepMemory memory(plan, program);
    hold_stage(plan, sharded, stage, gpu, memory);
    const Bytes activations = Activations(stage).most(table.stages[s]);
    most = std::max(most, held_bytes(program) + activations + fragmentation(activations));
  }
  return most;
}

}  // namespace sim
