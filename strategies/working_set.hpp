#pragma once

#include <vector>

#include "base/units.hpp"
#include "strategies/op_graph.hpp"
#include "strategies/plan.hpp"

namespace strategies {

/// What the backward of a block holds at most beside what was kept for it: the gradient of an
/// operator's output and that of its input, of the largest operator. The loss of
/// torch.nn.functional makes fp32 tensors of the logits' size three times: the gradient of the
/// log-softmax, that of its input, and the cast to 16 bits after it; Megatron's works in place and
/// only casts; nanotron's does too, but its caller has the fp32 logits until it returns.
base::Bytes backward_temporaries(const std::vector<Op>& ops, const Plan& plan);

}  // namespace strategies
