#include "strategies/autoshard/tensor_graph.hpp"

#include <algorithm>

#include "base/check.hpp"

namespace strategies::autoshard {

namespace {

bool has(const LabelledTensor& tensor, int label) {
  return std::any_of(tensor.begin(), tensor.end(),
                     [&](const LabelledDim& dim) { return dim.label == label; });
}

/// Indices along a dim of a rank.
std::int64_t local_size(const LabelledTensor& tensor, const placement::Shape& shape,
                        std::size_t dim, const std::vector<std::int64_t>& sizes) {
  const LabelledDim& labelled = tensor[dim];
  return labelled.label < 0 ? shape[dim]
                            : sizes[static_cast<std::size_t>(labelled.label)] * labelled.inner;
}

/// Labels of both operands and the result count launches of one product, those of one operand only
/// rows or columns, those that the result lacks are summed over.
base::Kernel matrix_product(const Node& node, const Signature& signature,
                            const std::vector<std::int64_t>& sizes) {
  const LabelledTensor& left = signature.operands[0];
  const LabelledTensor& right = signature.operands[1];
  const LabelledTensor& result = signature.results[0];
  base::Gemm gemm{1, 1, 1, 1, node.operand_types[0].dtype, node.results[0].dtype};
  for (std::size_t l = 0; l < sizes.size(); ++l) {
    const int label = static_cast<int>(l);
    const bool in_left = has(left, label);
    const bool in_right = has(right, label);
    if (!has(result, label))
      gemm.k *= sizes[l];
    else if (in_left && in_right)
      gemm.batch *= sizes[l];
    else if (in_left)
      gemm.m *= sizes[l];
    else
      gemm.n *= sizes[l];
  }
  return gemm;
}

base::Kernel memory_pass(const Node& node, const MemoryWork& work, const Signature& signature,
                         const std::vector<std::int64_t>& sizes) {
  CHECK_INVARIANT(work.passes.size() == node.operand_types.size() + node.results.size());
  double bytes = 0;
  const auto add = [&](const std::vector<LabelledTensor>& tensors,
                       const std::vector<TensorType>& types, std::size_t first) {
    for (std::size_t i = 0; i < types.size(); ++i)
      bytes += work.passes[first + i] * local_elements(tensors[i], types[i].shape, sizes) *
               base::bytes_of(types[i].dtype);
  };
  add(signature.operands, node.operand_types, 0);
  add(signature.results, node.results, node.operand_types.size());
  return base::MemoryBound{base::Bytes::from_double(bytes), work.kernels};
}

base::Kernel attention(const Node& node, const AttentionWork& work, const Signature& signature,
                       const std::vector<std::int64_t>& sizes) {
  base::Attention kernel = work.whole;
  const LabelledTensor& queries = signature.operands.front();
  const placement::Shape& shape = node.operand_types.front().shape;
  kernel.batch = local_size(queries, shape, 0, sizes);
  kernel.seq_q = local_size(queries, shape, 1, sizes);
  const std::int64_t parts = shape[2] / local_size(queries, shape, 2, sizes);
  kernel.q_heads /= parts;
  kernel.kv_heads /= parts;
  return kernel;
}

}  // namespace

const TensorType& type_of(const TensorGraph& graph, Value value) {
  return graph.nodes[static_cast<std::size_t>(value.node)]
      .results[static_cast<std::size_t>(value.result)];
}

Shapes shapes_of(const Node& node) {
  Shapes shapes;
  for (const TensorType& type : node.operand_types) shapes.operands.push_back(type.shape);
  for (const TensorType& type : node.results) shapes.results.push_back(type.shape);
  return shapes;
}

Signature signature_of(const Node& node) {
  CHECK_INVARIANT(node.role == Role::operation);
  return signature_of(node.operation, shapes_of(node));
}

std::vector<base::Kernel> kernels_of(const Node& node, const Signature& signature,
                                     const std::vector<std::int64_t>& sizes) {
  if (std::holds_alternative<MatrixWork>(node.work))
    return {matrix_product(node, signature, sizes)};
  if (const auto* memory = std::get_if<MemoryWork>(&node.work))
    return {memory_pass(node, *memory, signature, sizes)};
  if (const auto* work = std::get_if<AttentionWork>(&node.work))
    return {attention(node, *work, signature, sizes)};
  return {};
}

base::Flop flop_of(const TensorGraph& graph) {
  base::Flop sum;
  for (const Node& node : graph.nodes) {
    if (node.role != Role::operation) continue;
    const Signature signature = signature_of(node);
    std::vector<std::int64_t> sizes;
    for (const Label& label : signature.labels) sizes.push_back(label.size);
    for (const base::Kernel& kernel : kernels_of(node, signature, sizes))
      sum += flop_of(kernel) * node.copies;
  }
  return sum;
}

}  // namespace strategies::autoshard
