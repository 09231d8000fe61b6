#include "strategies/working_set.hpp"

#include <algorithm>

namespace strategies {

namespace {

/// Bytes a logit, beside the four that are kept.
double beside_the_loss(const Plan& plan) {
  constexpr double float_bytes = 4;
  const double element = base::bytes_of(stored_type(plan.precision.compute));
  switch (plan.loss_kernels) {
    case LossKernels::fused: return element;
    case LossKernels::sharded: return std::max(element, float_bytes);
    case LossKernels::eager: return 2 * float_bytes + element;
  }
  return element;
}

}  // namespace

base::Bytes backward_temporaries(const std::vector<Op>& ops, const Plan& plan) {
  const double element = base::bytes_of(stored_type(plan.precision.compute));
  double most = 0;
  for (const Op& op : ops) {
    const auto in = static_cast<double>(op.input_elements);
    const auto out = static_cast<double>(op.output_elements);
    const bool loss = op.kind == OpKind::loss;
    most = std::max(most, loss ? in * beside_the_loss(plan) : (in + out) * element);
  }
  return base::Bytes::from_double(most);
}

}  // namespace strategies
