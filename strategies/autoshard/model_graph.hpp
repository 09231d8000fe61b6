#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "strategies/autoshard/graph_builder.hpp"
#include "strategies/model.hpp"

namespace strategies::autoshard {

struct StepShape {
  std::int64_t batch = 1;  ///< sequences of a micro-batch, on all ranks together
  std::int64_t seq = 1;    ///< tokens of a sequence
};

/// The operators of a model, as strategies::build_ops has them, without the optimizer. Projections
/// are apart; of equal layers there is one, with as many copies. Experts get equal shares of the
/// tokens.
TensorGraph model_graph(const ModelSpec& model, const StepShape& shape,
                        const StepPrecision& precision);

/// What of the model is not in its graph, in words: small parameters and element-wise work.
std::vector<std::string> left_out(const ModelSpec& model);

}  // namespace strategies::autoshard
