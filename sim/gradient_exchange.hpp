#pragma once

#include <vector>

#include "base/units.hpp"
#include "sim/stage.hpp"
#include "strategies/model.hpp"
#include "strategies/plan.hpp"

namespace sim {

/// Gradients that two pipeline ranks add up before the optimizer, since both hold the same
/// parameters: each sends its own to the other.
struct GradientExchange {
  const char* name = "";
  int peer_stage = 0;
  base::Bytes bytes;  ///< each way
};

/// What a stage exchanges after its data-parallel reductions. Of a tied embedding the first stage
/// and the last have a copy each (Megatron-LM's embedding group), unless one rank holds both ends
/// of the model. DualPipe has two copies of the model, stage p of one on the rank of stage S - 1 -
/// p of the other (arXiv 2412.19437). Of what is reduced to shards only these are sent.
std::vector<GradientExchange> gradient_exchanges(const strategies::Plan& plan,
                                                 const strategies::ModelSpec& model,
                                                 const Stage& holds, int stage);

}  // namespace sim
