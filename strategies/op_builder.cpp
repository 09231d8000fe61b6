#include "strategies/op_builder.hpp"

#include <algorithm>

namespace strategies {

namespace {

constexpr std::int64_t float_bytes = 4;
constexpr std::int64_t index_bytes = 8;  ///< token ids are 64 bits

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Only GEMM inputs are narrower than 16 bits; what lies between the kernels is not.
base::DType stored_type(base::DType compute) {
  switch (compute) {
    case base::DType::fp32:
    case base::DType::tf32: return base::DType::fp32;
    case base::DType::fp16: return base::DType::fp16;
    default: return base::DType::bf16;
  }
}

}  // namespace

OpBuilder::OpBuilder(const ModelSpec& model, const OpOptions& options)
    : model_(model), options_(options) {
  tokens_ = options.batch * options.seq;
  shard_tokens_ = options.sequence_parallel ? ceil_div(tokens_, options.tensor) : tokens_;
  q_heads_ = local(model.heads);
  kv_heads_ = local(model.latent ? model.heads : model.kv_heads);
  value_dim_ = model.latent ? model.latent->value_head_dim : model.head_dim;
  stored_ = stored_type(options.dtype);
  element_ = base::bits_of(stored_) / 8;
}

std::int64_t OpBuilder::local(std::int64_t count) const { return ceil_div(count, options_.tensor); }

base::Kernel OpBuilder::gemm(std::int64_t m, std::int64_t n, std::int64_t k,
                             std::int64_t batch) const {
  return base::Gemm{m, n, k, batch, options_.dtype, stored_};
}

base::Kernel OpBuilder::memory(std::int64_t elements, std::int64_t bytes, int kernels) const {
  return base::MemoryBound{base::Bytes::from_count(elements * element_ + bytes), kernels};
}

Op OpBuilder::linear(Linear shape) const {
  const bool divides_out =
      shape.split == TensorSplit::column || shape.split == TensorSplit::vocabulary;
  const std::int64_t m = shape.split == TensorSplit::sequence ? shard_tokens_ : tokens_;
  const std::int64_t k = shape.split == TensorSplit::row ? local(shape.in) : shape.in;
  std::int64_t n = divides_out ? local(shape.out) : shape.out;
  if (shape.out_local > 0) n = shape.out_local;
  Op op;
  op.kind = shape.kind;
  op.name = std::move(shape.name);
  op.split = shape.split;
  op.forward = {gemm(m, n, k)};
  op.backward_input = {gemm(m, k, n)};
  op.backward_weight = {gemm(k, n, m)};
  // The bias is added in the epilogue; its gradient is a column sum over the output's gradient.
  if (shape.bias) op.backward_weight.push_back(memory(m * n));
  op.parameters = shape.in * shape.out + (shape.bias ? shape.out : 0);
  // A column-parallel operator keeps its shard of the input and gathers it again in backward.
  if (shape.saves_input) op.saved_elements = divides_out ? shard_tokens_ * k : m * k;
  op.input_elements = m * k;
  op.output_elements = m * n;
  op.gathers_input = divides_out;
  op.reduces_output = shape.split == TensorSplit::row;
  return op;
}

/// Norm of `rows` vectors of `features` each, every vector in `groups` parts with own statistics.
Op OpBuilder::feature_norm(std::string name, TensorSplit split, std::int64_t rows,
                           std::int64_t features, std::int64_t groups,
                           std::int64_t parameters) const {
  const std::int64_t elements = rows * features;
  Op op;
  op.kind = OpKind::norm;
  op.name = std::move(name);
  op.split = split;
  op.forward = {memory(2 * elements)};
  op.backward_input = {memory(3 * elements)};  // reads x and dy, writes dx and partial sums
  op.backward_weight = {memory(0, 2 * parameters * float_bytes)};  // adds the partial sums up
  op.parameters = parameters;
  op.saved_elements = elements;
  const int statistics = model_.norm == Norm::rms ? 1 : 2;  // 1/sigma, and the mean
  op.saved_bytes = rows * groups * statistics * float_bytes;
  op.input_elements = op.output_elements = elements;
  return op;
}

Op OpBuilder::norm(std::string name) const {
  return feature_norm(std::move(name), TensorSplit::sequence, shard_tokens_, model_.hidden, 1,
                      model_.norm_bias ? 2 * model_.hidden : model_.hidden);
}

Op OpBuilder::residual(std::string name, int branches) const {
  const std::int64_t elements = shard_tokens_ * model_.hidden;
  const std::int64_t added = branches * elements;
  Op op;
  op.kind = OpKind::residual;
  op.name = std::move(name);
  op.split = TensorSplit::sequence;
  // Forward: reads the branches and the stream, writes the stream. Backward: the stream's gradient
  // passes through, and the gradient that comes back through the branch's norm is added to it.
  op.forward = {memory(added + 2 * elements)};
  op.backward_input = {memory(added + 2 * elements)};
  if (model_.dropout > 0) {  // one byte of mask per element of each branch
    op.forward = {memory(added + 2 * elements, added)};
    op.backward_input.push_back(memory(2 * added, added));
    op.saved_bytes = added;
  }
  op.input_elements = op.output_elements = elements;
  return op;
}

void OpBuilder::embedding(std::vector<Op>& ops) const {
  const std::int64_t h = model_.hidden;
  const std::int64_t whole = tokens_ * h;
  const std::int64_t shard = shard_tokens_ * h;
  const std::int64_t table = local(model_.vocab) * h;
  const bool positions = model_.position == Position::learned;
  Op op;
  op.kind = OpKind::embedding;
  op.name = "embedding";
  op.split = TensorSplit::vocabulary;
  op.forward = {memory(2 * whole, tokens_ * index_bytes)};
  if (positions) op.forward.push_back(memory(3 * shard));
  // A dense gradient of the whole table is zeroed, then the rows of the tokens are added to it.
  op.backward_weight = {memory(table + 3 * whole, tokens_ * index_bytes, 2)};
  if (positions) op.backward_weight.push_back(memory(model_.positions * h + 3 * shard));
  op.saved_bytes = tokens_ * index_bytes;
  if (model_.dropout > 0) {
    op.forward.push_back(memory(2 * shard, shard));
    op.backward_input = {memory(2 * shard, shard)};
    op.saved_bytes += shard;
  }
  op.parameters = model_.vocab * h + (positions ? model_.positions * h : 0);
  op.input_elements = tokens_;
  op.output_elements = whole;
  op.reduces_output = true;
  ops.push_back(std::move(op));
  if (model_.embedding_norm) ops.push_back(norm("embedding_norm"));
}

void OpBuilder::head(std::vector<Op>& ops) const {
  if (model_.final_norm) ops.push_back(norm("final_norm"));
  Op op = linear({.kind = OpKind::head,
                  .name = "head",
                  .split = TensorSplit::vocabulary,
                  .in = model_.hidden,
                  .out = model_.vocab,
                  .bias = model_.head_bias});
  if (model_.tied_embeddings) op.parameters -= model_.vocab * model_.hidden;
  ops.push_back(std::move(op));
  ops.push_back(loss());
}

/// Vocabulary-parallel cross-entropy in fp32, after Megatron's fused one. Forward: cast (read,
/// write), maximum (read), subtract and exponentiate (read, write), sum (read), normalise (read,
/// write). Backward: scale the softmax (read, write), cast (read, write). The softmax is kept.
Op OpBuilder::loss() const {
  const std::int64_t logits = tokens_ * local(model_.vocab);
  Op op;
  op.kind = OpKind::loss;
  op.name = "loss";
  op.split = TensorSplit::vocabulary;
  op.forward = {memory(logits, 7 * logits * float_bytes, 5)};
  op.backward_input = {memory(logits, 3 * logits * float_bytes, 2)};
  op.saved_bytes = logits * float_bytes + tokens_ * index_bytes;
  op.input_elements = logits;
  op.output_elements = tokens_;
  return op;
}

Op OpBuilder::activation(OpKind kind, std::string name, std::int64_t rows,
                         std::int64_t width) const {
  const std::int64_t inputs = up_width(width);
  Op op;
  op.kind = kind;
  op.name = std::move(name);
  op.split = TensorSplit::heads;
  op.forward = {memory(rows * (inputs + width))};
  op.backward_input = {memory(rows * (2 * inputs + width))};
  op.saved_elements = rows * inputs;
  op.input_elements = rows * inputs;
  op.output_elements = rows * width;
  return op;
}

void OpBuilder::dense_mlp(std::vector<Op>& ops, const std::string& prefix, std::int64_t width,
                          bool bias, bool saves_input) const {
  ops.push_back(linear({.kind = OpKind::mlp_up,
                        .name = prefix + "up",
                        .split = TensorSplit::column,
                        .in = model_.hidden,
                        .out = up_width(width),
                        .bias = bias,
                        .saves_input = saves_input,
                        .out_local = up_width(local(width))}));
  ops.push_back(activation(OpKind::activation, prefix + "activation", tokens_, local(width)));
  ops.push_back(linear({.kind = OpKind::mlp_down,
                        .name = prefix + "down",
                        .split = TensorSplit::row,
                        .in = width,
                        .out = model_.hidden,
                        .bias = bias}));
}

void OpBuilder::mlp(std::vector<Op>& ops, bool saves_input) const {
  dense_mlp(ops, "mlp_", model_.ffn, model_.mlp_bias, saves_input);
}

Op OpBuilder::router() const {
  const std::int64_t experts = model_.mixture->experts;
  const std::int64_t scores = shard_tokens_ * experts;
  const std::int64_t h = model_.hidden;
  Op op;
  op.kind = OpKind::router;
  op.name = "router";
  op.split = TensorSplit::sequence;
  const auto fp32 = base::DType::fp32;
  // Scores in fp32; softmax, top-k and the counts of tokens pass over them three times.
  op.forward = {base::Gemm{shard_tokens_, experts, h, 1, fp32, fp32},
                memory(0, 5 * scores * float_bytes, 3)};
  op.backward_input = {base::Gemm{shard_tokens_, h, experts, 1, fp32, fp32},
                       memory(0, 3 * scores * float_bytes)};
  op.backward_weight = {base::Gemm{h, experts, shard_tokens_, 1, fp32, fp32}};
  op.parameters = experts * (h + (model_.mixture->router_bias ? 1 : 0));
  op.saved_elements = shard_tokens_ * h;  // also what dispatch and the shared experts read
  op.saved_bytes = scores * float_bytes;
  op.input_elements = shard_tokens_ * h;
  op.output_elements = scores;
  return op;
}

/// Copies each token's row once for every expert that it goes to, in the order of experts.
Op OpBuilder::dispatch(const ExpertShape& shape) const {
  const std::int64_t rows = shape.experts * shape.rows_each;
  const std::int64_t h = model_.hidden;
  Op op;
  op.kind = OpKind::dispatch;
  op.name = "dispatch";
  op.split = TensorSplit::replicated;
  op.forward = {memory((tokens_ + rows) * h)};
  op.backward_input = {memory((tokens_ + rows) * h)};
  op.saved_bytes = rows * index_bytes;
  op.input_elements = tokens_ * h;
  op.output_elements = rows * h;
  op.gathers_input = true;
  return op;
}

/// Weights the experts' rows and adds them up per token; the products stay partial sums.
Op OpBuilder::combine(const ExpertShape& shape) const {
  const std::int64_t rows = shape.experts * shape.rows_each;
  const std::int64_t h = model_.hidden;
  Op op;
  op.kind = OpKind::combine;
  op.name = "combine";
  op.split = TensorSplit::heads;
  op.forward = {memory((rows + tokens_) * h)};
  op.backward_input = {memory((2 * rows + tokens_) * h)};  // the weights' gradient reads the rows
  op.saved_elements = rows * h;
  op.input_elements = rows * h;
  op.output_elements = tokens_ * h;
  op.reduces_output = true;
  return op;
}

/// One grouped GEMM over all experts, each with its equal share of the rows.
Op OpBuilder::expert_linear(OpKind kind, const ExpertShape& shape) const {
  const bool up = kind == OpKind::expert_up;
  const Mixture& mixture = *model_.mixture;
  const std::int64_t h = model_.hidden;
  const std::int64_t m = shape.rows_each;
  const std::int64_t n = up ? up_width(shape.ffn_local) : h;
  const std::int64_t k = up ? h : shape.ffn_local;
  const std::int64_t out = up ? up_width(mixture.expert_ffn) : h;
  const std::int64_t in = up ? h : mixture.expert_ffn;
  Op op;
  op.kind = kind;
  op.name = std::string(name_of(kind));
  op.split = up ? TensorSplit::column : TensorSplit::row;
  op.forward = {gemm(m, n, k, shape.experts)};
  op.backward_input = {gemm(m, k, n, shape.experts)};
  op.backward_weight = {gemm(k, n, m, shape.experts)};
  if (mixture.expert_bias) op.backward_weight.push_back(memory(shape.experts * m * n));
  op.parameters = shape.experts * (in * out + (mixture.expert_bias ? out : 0));
  op.expert = true;
  op.saved_elements = shape.experts * m * k;
  op.input_elements = shape.experts * m * k;
  op.output_elements = shape.experts * m * n;
  return op;
}

void OpBuilder::mixture(std::vector<Op>& ops) const {
  const Mixture& mixture = *model_.mixture;
  const double room = mixture.capacity_factor > 0 ? mixture.capacity_factor : 1.0;
  const auto rows =
      static_cast<std::int64_t>(static_cast<double>(tokens_ * mixture.experts_per_token) * room);
  ExpertShape shape;
  shape.experts = mixture.experts;
  shape.rows_each = std::max<std::int64_t>(1, ceil_div(rows, mixture.experts));
  shape.ffn_local = local(mixture.expert_ffn);
  ops.push_back(router());
  ops.push_back(dispatch(shape));
  if (mixture.shared_ffn > 0) {
    const std::size_t first = ops.size();
    dense_mlp(ops, "shared_", mixture.shared_ffn, false, false);
    // The tokens are gathered once, by dispatch, and the sum is reduced once, after combine.
    for (std::size_t i = first; i < ops.size(); ++i)
      ops[i].gathers_input = ops[i].reduces_output = false;
    if (mixture.shared_gate) ops[first].parameters += model_.hidden;
  }
  ops.push_back(expert_linear(OpKind::expert_up, shape));
  ops.push_back(activation(OpKind::expert_activation, "expert_activation",
                           shape.experts * shape.rows_each, shape.ffn_local));
  ops.push_back(expert_linear(OpKind::expert_down, shape));
  ops.push_back(combine(shape));
}

}  // namespace strategies
