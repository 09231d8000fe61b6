#pragma once

#include "base/units.hpp"
#include "sim/pricer.hpp"
#include "sim/step_graph.hpp"
#include "strategies/execution.hpp"

namespace sim {

/// What a step that has too little memory waits for, if it runs at all. PyTorch's caching allocator
/// asks the driver where it has no block; where the driver has no memory either, it waits for the
/// GPU, gives all free blocks back and asks again. Of all tensors that a stage asks for, as large a
/// share goes that way as its peak lacks of memory, and each GiB of them takes
/// Execution::allocator_retry, during which the GPU is idle.
/// \param capacity of a GPU
void add_allocator_waits(const strategies::Execution& execution, base::Bytes capacity,
                         StepGraph& graph, Pricer& pricer);

}  // namespace sim
