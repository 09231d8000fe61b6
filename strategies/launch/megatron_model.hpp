#pragma once

#include "strategies/launch/draft.hpp"

namespace strategies::launch {

/// The model as Megatron-LM's arguments of its size and layers; what they do not have is told.
void add_megatron_model(Draft& draft, Arguments& out);

}  // namespace strategies::launch
