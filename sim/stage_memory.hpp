#pragma once

#include "sim/stage.hpp"
#include "sim/step_memory.hpp"
#include "topology/hardware.hpp"

/// What a stage keeps in memory, whenever it does what.
namespace sim {

/// Of the forward of a micro-batch on these units, until their backward.
base::Bytes kept_bytes(const Stage& stage, int chunk, Range units);

/// Of the input gradient of these units, until their weight gradient.
base::Bytes kept_for_weight_bytes(const Stage& stage, int chunk, Range units);

/// The most that backwards of single blocks need in addition, less what those behind them have
/// given back by then.
base::Bytes working_bytes(const Stage& stage, int chunk, Range units);

/// Accounts for what is held during the whole step: the states of the model, and what libraries
/// take.
void hold_stage(const strategies::Plan& plan, const strategies::ShardedGraph& sharded,
                const Stage& stage, const topology::GpuSpec& gpu, StepMemory& memory);

}  // namespace sim
