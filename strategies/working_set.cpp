#include "strategies/working_set.hpp"

#include <algorithm>

namespace strategies {

base::Bytes backward_temporaries(const std::vector<Op>& ops, const Plan& plan) {
  constexpr double float_bytes = 4;
  const double element = base::bytes_of(stored_type(plan.precision.compute));
  double most = 0;
  for (const Op& op : ops) {
    const auto in = static_cast<double>(op.input_elements);
    const auto out = static_cast<double>(op.output_elements);
    const bool loss = op.kind == OpKind::loss;
    const double bytes =
        loss ? in * (element + (plan.eager_loss ? 2 * float_bytes : 0)) : (in + out) * element;
    most = std::max(most, bytes);
  }
  return base::Bytes::from_double(most);
}

}  // namespace strategies
