#pragma once

#include <array>
#include <string_view>
#include <utility>

#include "strategies/autoshard/factor_graph.hpp"
#include "strategies/autoshard/pricing.hpp"
#include "strategies/autoshard/tensor_graph.hpp"

namespace strategies::autoshard {

/// Plans as people write them, to compare with under the same prices.
enum class HandWritten {
  ddp,       ///< copies of parameters on all ranks, which have different sequences
  fsdp,      ///< parameters sharded over all ranks, gathered for use
  megatron,  ///< the last mesh dim tensor parallel, FSDP over the others
};

inline constexpr std::array<std::pair<std::string_view, HandWritten>, 3> hand_written_names{{
    {"DDP", HandWritten::ddp},
    {"FSDP", HandWritten::fsdp},
    {"Megatron TP in the last mesh dim, FSDP in the others", HandWritten::megatron},
}};

/// Choices of each node that follow the plan: of projections in forward, and of their weights at
/// rest. The rest is left to the solver, which does not make the plan worse. Tensor parallel as in
/// Megatron-LM (arXiv 1909.08053): the projections back into the residual stream are split along
/// their inputs, all others along their outputs. May leave a node without a choice.
Domains choices_of(HandWritten plan, const TensorGraph& graph, const Problem& problem);

}  // namespace strategies::autoshard
