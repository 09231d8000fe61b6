#include "calibrate/runtime/cuda/attention_graph.hpp"

#include <fmt/format.h>

#include <utility>

#include "calibrate/runtime/failure.hpp"

namespace calibrate::runtime::cuda::dnn {

namespace {

void check_shape(const foreshard_kernel& kernel) {
  for (const std::int64_t extent : {kernel.sequences, kernel.seq_q, kernel.seq_kv, kernel.q_heads,
                                    kernel.kv_heads, kernel.head_dim, kernel.value_dim})
    if (extent < 1) throw Failure("no attention without tokens, heads or their width");
  if (kernel.q_heads % kernel.kv_heads != 0)
    throw Failure(fmt::format("{} query heads cannot share {}", kernel.q_heads, kernel.kv_heads));
  if (kernel.flash == 0) throw Failure("cuDNN's attention is fused, scores stay inside");
  if (kernel.window != 0) throw Failure("no attention with a window here");
  if (kernel.causal != 0 && kernel.seq_q != kernel.seq_kv)
    throw Failure(
        fmt::format("no causal attention of {} tokens to {} here", kernel.seq_q, kernel.seq_kv));
}

cudnnDataType_t type_of(Element element) {
  if (element == Element::fp16) return CUDNN_DATA_HALF;
  if (element == Element::bf16) return CUDNN_DATA_BFLOAT16;
  throw Failure("cuDNN's fused attention is for fp16 and bf16");
}

class Builder {
 public:
  explicit Builder(const foreshard_kernel& kernel)
      : kernel_(kernel), element_(element_of(kernel.dtype)), type_(type_of(element_)) {}

  AttentionGraph forward() {
    const Tensor q = operand(tokens(kernel_.seq_q, kernel_.q_heads, kernel_.head_dim));
    const Tensor k =
        operand(transposed(tokens(kernel_.seq_kv, kernel_.kv_heads, kernel_.head_dim)));
    const Tensor v = operand(tokens(kernel_.seq_kv, kernel_.kv_heads, kernel_.value_dim));
    const Tensor o = operand(tokens(kernel_.seq_q, kernel_.q_heads, kernel_.value_dim));
    const Tensor sums = operand(rows());
    Graph& graph = made_.graph;
    const Tensor scale = scale_of_scores();
    const Tensor scores = masked(graph.pointwise(CUDNN_POINTWISE_MUL, graph.matmul(q, k), scale));
    const Tensor highest = graph.reduce(CUDNN_REDUCE_TENSOR_MAX, scores, graph.inside(rows()));
    const Tensor exps =
        graph.pointwise(CUDNN_POINTWISE_EXP, graph.pointwise(CUDNN_POINTWISE_SUB, scores, highest));
    const Tensor sum = graph.reduce(CUDNN_REDUCE_TENSOR_ADD, exps, graph.inside(rows()));
    graph.pointwise(CUDNN_POINTWISE_ADD, highest, graph.pointwise(CUDNN_POINTWISE_LOG, sum), sums);
    Tensor shares = packed(exps.dimensions, type_);
    shares = graph.pointwise(CUDNN_POINTWISE_DIV, exps, sum, graph.inside(shares));
    graph.matmul(shares, v, o);
    return std::move(made_);
  }

  AttentionGraph backward() {
    const Tensor keys = tokens(kernel_.seq_kv, kernel_.kv_heads, kernel_.head_dim);
    const Tensor values = tokens(kernel_.seq_kv, kernel_.kv_heads, kernel_.value_dim);
    const Tensor queries = tokens(kernel_.seq_q, kernel_.q_heads, kernel_.head_dim);
    const Tensor outputs = tokens(kernel_.seq_q, kernel_.q_heads, kernel_.value_dim);
    const Tensor q = operand(queries);
    const Tensor k = operand(transposed(keys));
    const Tensor v = operand(transposed(values));
    const Tensor o = operand(outputs);
    const Tensor d_o = operand(outputs);
    const Tensor sums = operand(rows());
    const Tensor d_q = operand(queries);
    const Tensor d_k = operand(keys);
    const Tensor d_v = operand(values);
    // Parts of dQ are added up in fp32, in memory.
    const Tensor d_q_sum = operand(packed(queries.dimensions, CUDNN_DATA_FLOAT));
    const Tensor weights = operand(rows());
    Graph& graph = made_.graph;
    const Tensor scale = scale_of_scores();

    // The factor is dropout's: with one of 1 cuDNN knows the graph as its fused one, without it
    // scores go through memory.
    const Tensor one = graph.scalar(CUDNN_DATA_FLOAT);
    made_.one = one.id;
    const Tensor sum =
        graph.reduce(CUDNN_REDUCE_TENSOR_ADD, graph.pointwise(CUDNN_POINTWISE_MUL, d_o, o),
                     graph.inside(rows()));
    graph.pointwise(CUDNN_POINTWISE_MUL, sum, one, weights);
    const Tensor scores = graph.pointwise(CUDNN_POINTWISE_MUL, graph.matmul(q, k), scale);
    const Tensor shares = graph.pointwise(
        CUDNN_POINTWISE_EXP, masked(graph.pointwise(CUDNN_POINTWISE_SUB, scores, sums)));
    summed_over_heads(graph.transpose(shares, type_), d_o, d_v);

    const Tensor d_shares = graph.matmul(d_o, v);
    const Tensor d_scores = graph.pointwise(
        CUDNN_POINTWISE_MUL,
        graph.pointwise(CUDNN_POINTWISE_MUL,
                        graph.pointwise(CUDNN_POINTWISE_SUB, d_shares, weights), shares),
        scale);
    summed_over_heads(graph.transpose(d_scores, type_), q, d_k);

    graph.matmul(d_scores, graph.transpose(k, type_), d_q_sum);
    graph.pointwise(CUDNN_POINTWISE_IDENTITY, d_q_sum, d_q);
    return std::move(made_);
  }

 private:
  /// [sequences, heads, length, width] with a token's heads side by side.
  Tensor tokens(std::int64_t length, std::int64_t heads, std::int64_t width) const {
    return {{kernel_.sequences, heads, length, width},
            {length * heads * width, width, heads * width, 1},
            type_,
            0};
  }

  /// One number for each query.
  Tensor rows() const {
    return packed({kernel_.sequences, kernel_.q_heads, kernel_.seq_q, 1}, CUDNN_DATA_FLOAT);
  }

  Tensor operand(const Tensor& tensor) {
    const Tensor added = made_.graph.in_memory(tensor);
    std::int64_t elements = 1;
    for (const std::int64_t extent : tensor.dimensions) elements *= extent;
    made_.operands.push_back(
        {added.id, elements, tensor.type == CUDNN_DATA_FLOAT ? Element::fp32 : element_});
    return added;
  }

  Tensor scale_of_scores() {
    const Tensor scale = made_.graph.scalar(CUDNN_DATA_FLOAT);
    made_.scale = scale.id;
    return scale;
  }

  Tensor masked(const Tensor& scores) {
    if (kernel_.causal == 0) return scores;
    const Tensor mask = made_.graph.at_or_below_diagonal(scores);
    const Tensor low = made_.graph.scalar(CUDNN_DATA_FLOAT);
    made_.minus_infinity = low.id;
    return made_.graph.select(mask, scores, low);
  }

  /// a b, heads that share one of `to` added up.
  void summed_over_heads(const Tensor& a, const Tensor& b, const Tensor& to) {
    if (kernel_.q_heads == kernel_.kv_heads) {
      made_.graph.matmul(a, b, to);
      return;
    }
    std::vector<std::int64_t> dimensions = to.dimensions;
    dimensions.at(1) = kernel_.q_heads;
    const Tensor all = made_.graph.inside(packed(dimensions, type_));
    made_.graph.reduce(CUDNN_REDUCE_TENSOR_ADD, made_.graph.matmul(a, b, all), to);
  }

  const foreshard_kernel& kernel_;
  Element element_;
  cudnnDataType_t type_;
  AttentionGraph made_;
};

}  // namespace

AttentionGraph attention_graph(const foreshard_kernel& kernel) {
  check_shape(kernel);
  Builder builder(kernel);
  return kernel.backward != 0 ? builder.backward() : builder.forward();
}

}  // namespace calibrate::runtime::cuda::dnn
