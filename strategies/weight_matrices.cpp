#include "strategies/weight_matrices.hpp"

namespace strategies {

std::vector<WeightMatrix> weight_matrices(const Op& op, std::int64_t parameters) {
  std::vector<WeightMatrix> matrices;
  const auto add = [&](const WeightMatrix& matrix) {
    if (matrix.elements() <= 0 || matrix.elements() > parameters) return;
    parameters -= matrix.elements();
    matrices.push_back(matrix);
  };
  if (op.kind == OpKind::embedding && op.input_elements > 0) {
    const std::int64_t hidden = op.output_elements / op.input_elements;
    add({parameters / hidden, hidden, 1, false});
    return matrices;
  }
  // The gradient of a weight is a matrix product with the shape of the weight.
  for (const base::Kernel& kernel : op.backward_weight)
    if (const auto* gemm = std::get_if<base::Gemm>(&kernel))
      add({gemm->m, gemm->n, gemm->batch, op.kind != OpKind::head});
  return matrices;
}

}  // namespace strategies
