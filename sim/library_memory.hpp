#pragma once

#include "base/units.hpp"
#include "sim/step_graph.hpp"
#include "topology/hardware.hpp"

/// Memory that libraries take whatever the model is.
namespace sim {

/// The driver's context with the kernels of PyTorch loaded in it.
base::Bytes context_bytes();

/// cuBLAS workspaces, which PyTorch allocates for each thread that multiplies matrices (forward
/// and autograd): 32 MiB each from Hopper on, 8.125 MiB before (aten/src/ATen/cuda/CublasHandlePool
/// .cpp, checked against published counters of nanotron runs, which are 64 MiB above their
/// tensors).
base::Bytes workspace_bytes(const topology::GpuSpec& gpu);

/// Adds the buffers of all communicators that a program takes part in. NCCL has, for each channel,
/// receive buffers for each protocol (LL 512 KiB, LL128 4800 KiB, Simple 4 MiB), connected when a
/// communicator is first used, and as many to send from where the ring crosses nodes. Messages
/// between stages: two channels of Simple each way and peer.
void hold_communicators(StepGraph& graph);

}  // namespace sim
