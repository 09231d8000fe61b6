#pragma once

#include <vector>

#include "sim/schedule/schedule.hpp"
#include "strategies/plan.hpp"
#include "strategies/shard.hpp"
#include "topology/hardware.hpp"

namespace sim {

/// A floor of what the fullest rank has on its device at its peak (MemoryReport::peak), without
/// laying out the step: states of the model, activations in flight as the schedule has them, and
/// what is held whatever the plan does. The buffers of communication come on top.
/// \param chunks what each stage holds, see cut_layers
base::Bytes memory_floor(const strategies::Plan& plan, const strategies::ShardedGraph& sharded,
                         const std::vector<std::vector<strategies::Chunk>>& chunks,
                         const schedule::ScheduleTable& table, const topology::GpuSpec& gpu);

}  // namespace sim
