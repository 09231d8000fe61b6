#include "strategies/op_builder.hpp"

#include <algorithm>

namespace strategies {

namespace {

constexpr std::int64_t float_bytes = 4;
constexpr std::int64_t index_bytes = 8;  ///< token ids are 64 bits

}  // namespace

OpBuilder::OpBuilder(const ModelSpec& model, const OpOptions& options)
    : model_(model), options_(options) {
  options_.expert.tensor = options.expert.tensor_or(options.tensor);
  seq_ = base::ceil_div(options.seq, options.context.degree);
  tokens_ = options.batch * seq_;
  shard_tokens_ = options.sequence_parallel ? base::ceil_div(tokens_, options.tensor) : tokens_;
  q_heads_ = local(model.heads);
  kv_heads_ = local(model.latent ? model.heads : model.kv_heads);
  value_dim_ = model.latent ? model.latent->value_head_dim : model.head_dim;
  stored_ = stored_type(options.dtype);
  element_ = base::bits_of(stored_) / 8;
}

std::int64_t OpBuilder::local(std::int64_t count) const {
  return base::ceil_div(count, options_.tensor);
}

bool OpBuilder::narrow() const {
  return options_.dtype == base::DType::fp8 || options_.dtype == base::DType::fp4;
}

/// Of one element with its share of the scales.
double OpBuilder::narrow_bytes() const {
  const double value = base::bytes_of(options_.dtype);
  switch (options_.scaling) {
    case Scaling::delayed:
    case Scaling::current: return value;
    case Scaling::blockwise: return value + 4.0 / 128;
    case Scaling::mx: return value + 1.0 / 32;
    case Scaling::nv: return value + 1.0 / 16;
  }
  return value;
}

/// Reads the tensor and writes it twice, by rows and by columns, for the two matrix products that
/// it enters; scaling by its own maximum reads it once more before. Each of `tensors` has scales
/// and kernels of its own.
base::Kernel OpBuilder::cast(std::int64_t elements, std::int64_t tensors) const {
  const bool reads_twice = options_.scaling == Scaling::current || options_.scaling == Scaling::nv;
  const double bytes = static_cast<double>(elements) *
                       (static_cast<double>(element_) * (reads_twice ? 2 : 1) + 2 * narrow_bytes());
  return base::MemoryBound{base::Bytes::from_double(bytes),
                           static_cast<int>(tensors) * (reads_twice ? 2 : 1)};
}

/// Casts in front of the matrix products of an operator, whose input is then kept as it was cast.
void OpBuilder::quantise(std::int64_t inputs, std::int64_t outputs, std::int64_t tensors,
                         Op& op) const {
  if (!narrow()) return;
  op.forward.insert(op.forward.begin(), cast(inputs, tensors));
  op.backward_input.insert(op.backward_input.begin(), cast(outputs, tensors));
  const auto kept =
      static_cast<std::int64_t>(static_cast<double>(op.saved_elements) * narrow_bytes());
  op.saved_bytes += kept;
  op.saved_input_bytes = kept;
  op.saved_elements = 0;
}

base::Kernel OpBuilder::memory(std::int64_t elements, std::int64_t bytes, int kernels) const {
  const auto least = static_cast<double>(elements * element_ + bytes);
  return base::MemoryBound{base::Bytes::from_double(least * options_.elementwise_traffic), kernels};
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
  const base::DType type = shape.narrow ? options_.dtype : stored_;
  op.forward = {base::Gemm{m, n, k, 1, type, stored_}};
  op.backward_input = {base::Gemm{m, k, n, 1, type, stored_}};
  op.backward_weight = {base::Gemm{k, n, m, 1, type, stored_}};
  // The bias is added in the epilogue; its gradient is a column sum over the output's gradient.
  if (shape.bias) op.backward_weight.push_back(memory(m * n));
  op.parameters = shape.in * shape.out + (shape.bias ? shape.out : 0);
  // A column-parallel operator keeps its shard of the input and gathers it again in backward.
  const std::int64_t own_input = divides_out ? shard_tokens_ * k : m * k;
  if (shape.saves_input) op.saved_elements = own_input;
  op.saved_input_bytes = op.saved_elements * element_;
  if (shape.narrow) quantise(own_input, m * n, 1, op);
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
  op.saved_input_bytes = elements * element_;
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
                  .bias = model_.head_bias,
                  .narrow = false});
  if (model_.tied_embeddings) op.parameters -= model_.vocab * model_.hidden;
  ops.push_back(std::move(op));
  ops.push_back(loss());
}

/// Vocabulary-parallel cross-entropy in fp32, after Megatron's fused one. Forward: cast (read,
/// write), maximum (read), subtract and exponentiate (read, write), sum (read), normalise (read,
/// write). Backward: scale the softmax (read, write), cast (read, write). The softmax is kept.
/// Where logits are gathered, every tensor rank does so with the whole vocabulary.
Op OpBuilder::loss() const {
  const std::int64_t logits =
      tokens_ * (options_.gather_logits ? model_.vocab : local(model_.vocab));
  Op op;
  op.kind = OpKind::loss;
  op.name = "loss";
  op.split = TensorSplit::vocabulary;
  const auto passes = [&](int of_floats, int kernels) {
    return base::MemoryBound{base::Bytes::from_count(logits * (element_ + of_floats * float_bytes)),
                             kernels};
  };
  op.forward = {passes(7, 5)};
  op.backward_input = {passes(3, 2)};
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
  op.saved_input_bytes = op.saved_elements * element_;
  if (model_.gated && !options_.fused_gate) op.saved_elements += rows * width;
  op.input_elements = rows * inputs;
  op.output_elements = rows * width;
  return op;
}

void OpBuilder::dense_mlp(std::vector<Op>& ops, const std::string& prefix, std::int64_t width,
                          bool bias, bool saves_input) const {
  const auto up = [&](std::string name, std::int64_t out, std::int64_t out_local, bool saves) {
    ops.push_back(linear({.kind = OpKind::mlp_up,
                          .name = prefix + std::move(name),
                          .split = TensorSplit::column,
                          .in = model_.hidden,
                          .out = out,
                          .bias = bias,
                          .saves_input = saves,
                          .out_local = out_local}));
  };
  if (model_.gated && !options_.fused_projections) {
    up("gate", width, local(width), saves_input);
    up("up", width, local(width), false);
    ops.back().gathers_input = options_.reduce_per_linear;
  } else {
    up("up", up_width(width), up_width(local(width)), saves_input);
  }
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

}  // namespace strategies
