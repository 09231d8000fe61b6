#include <algorithm>
#include <cmath>

#include "strategies/op_builder.hpp"

namespace strategies {

namespace {

constexpr std::int64_t float_bytes = 4;
constexpr std::int64_t index_bytes = 8;

std::int64_t scaled(std::int64_t count, double factor) {
  return static_cast<std::int64_t>(static_cast<double>(count) * factor);
}

/// Nodes, of those that a token may go to, that hold one of its experts: each of them is missed by
/// each expert with probability 1 - 1/n.
double nodes_reached(int nodes, int experts_per_token) {
  return nodes * (1 - std::pow(1 - 1.0 / nodes, experts_per_token));
}

}  // namespace

/// Where a token's rows are computed. With sequence parallelism the tensor ranks have different
/// tokens: either they gather them and divide every expert, or each sends its own away. Without it
/// all have the same tokens and do the same, each with its part of the experts' matrices.
OpBuilder::ExpertShape OpBuilder::expert_shape() const {
  const Mixture& mixture = *model_.mixture;
  const ExpertParallel& expert = options_.expert;
  const bool own_tokens = options_.sequence_parallel && options_.tensor > 1;
  ExpertShape shape;
  shape.joined = expert.tensor > 1 && (expert.degree == 1 || !own_tokens);
  shape.tokens = shape.joined ? tokens_ : shard_tokens_;
  const double room = mixture.capacity_factor > 0 ? mixture.capacity_factor : 1.0;
  shape.sent_rows = scaled(shape.tokens * mixture.experts_per_token, room);
  const double load =
      busiest_load(expert, mixture.experts, mixture.experts_per_token, model_.layer_count());
  shape.experts = mixture.experts / expert.degree;
  shape.gathers = expert.tensor > 1 && !shape.joined;
  shape.busy_rows = scaled(shape.sent_rows, load);
  const int nodes = expert.degree / expert.inner();
  const double reached =
      nodes_reached(std::min(nodes, expert.nodes_per_token), mixture.experts_per_token);
  shape.busy_crossings = scaled(shape.tokens, reached * load);
  const std::int64_t rows = shape.busy_rows * (shape.gathers ? expert.tensor : 1);
  shape.rows_each = std::max<std::int64_t>(1, base::ceil_div(rows, shape.experts));
  shape.ffn_local = base::ceil_div(mixture.expert_ffn, expert.tensor);
  return shape;
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
  op.saved_input_bytes = op.saved_elements * element_;
  op.input_elements = shard_tokens_ * h;
  op.output_elements = scores;
  return op;
}

/// Copies each token's row once for every expert that it goes to, in the order of experts.
Op OpBuilder::dispatch(const ExpertShape& shape) const {
  const std::int64_t h = model_.hidden;
  Op op;
  op.kind = OpKind::dispatch;
  op.name = "dispatch";
  op.split = TensorSplit::replicated;
  op.forward = {memory((shape.tokens + shape.sent_rows) * h)};
  op.backward_input = {memory((shape.tokens + shape.sent_rows) * h)};
  sort_rows(shape, op);
  op.saved_bytes = shape.rows() * index_bytes;
  op.input_elements = shape.tokens * h;
  op.output_elements = shape.rows() * h;
  op.gathers_input = shape.joined;
  exchange_dispatched(shape, op);
  return op;
}

/// What comes from many ranks is sorted by expert once more, and back before it leaves.
void OpBuilder::sort_rows(const ExpertShape& shape, Op& op) const {
  if (options_.expert.degree == 1 || shape.experts == 1) return;
  const std::int64_t moved = 2 * shape.rows() * model_.hidden;
  op.forward.push_back(memory(moved));
  op.backward_input.push_back(memory(moved));
}

/// Rows travel in `dispatch`, their gradients and results in 16 bits. All-to-all sizes are what a
/// rank sends, those of the busiest rank, for which everybody waits.
void OpBuilder::exchange_dispatched(const ExpertShape& shape, Op& dispatch) const {
  const ExpertParallel& expert = options_.expert;
  const std::int64_t h = model_.hidden;
  const double narrow = expert.dispatch == base::DType::fp8 ? 1 + 4.0 / 128 : 0;
  const auto sent = [&](std::int64_t rows) {
    return narrow > 0 ? scaled(rows * h, narrow) : rows * h * element_;
  };
  const auto add = [&](const char* name, base::Collective op, AxisSet axes, std::int64_t rows) {
    dispatch.exchanges.push_back(
        {name, op, axes, sent(rows), expert.backward_exchange ? rows * h * element_ : 0});
  };
  if (expert.degree > 1) {
    if (expert.dispatcher == Dispatcher::all_gather) {
      add("all-gather tokens", base::Collective::all_gather, Axis::expert | Axis::expert_tensor,
          shape.tokens * expert.degree * (shape.gathers ? expert.tensor : 1));
      return;
    }
    // How many rows each expert gets has to be known first, unless all get their capacity.
    const std::int64_t counts = model_.mixture->experts * index_bytes;
    if (model_.mixture->capacity_factor == 0)
      dispatch.exchanges.push_back(
          {"all-to-all counts", base::Collective::all_to_all, Axis::expert, counts, 0});
    if (expert.inner() > 1) {
      add("all-to-all tokens across nodes", base::Collective::all_to_all, Axis::expert_outer,
          shape.busy_crossings);
      add("all-to-all tokens inside nodes", base::Collective::all_to_all, Axis::expert_inner,
          shape.busy_rows);
    } else {
      add("all-to-all tokens", base::Collective::all_to_all, Axis::expert, shape.busy_rows);
      // The router's, one a row, with which the experts' results are multiplied where they are.
      const std::int64_t weights = shape.busy_rows * float_bytes;
      dispatch.exchanges.push_back({"all-to-all weights", base::Collective::all_to_all,
                                    Axis::expert, weights, expert.backward_exchange ? weights : 0});
    }
  }
  if (shape.gathers)
    add("all-gather rows", base::Collective::all_gather, Axis::expert_tensor, shape.rows());
}

/// Weights the experts' rows and adds them up per token; where the tensor ranks work on the same
/// tokens the products stay partial sums.
Op OpBuilder::combine(const ExpertShape& shape) const {
  const std::int64_t h = model_.hidden;
  Op op;
  op.kind = OpKind::combine;
  op.name = "combine";
  op.split = TensorSplit::heads;
  op.forward = {memory((shape.sent_rows + shape.tokens) * h)};
  // The weights' gradient reads the rows.
  op.backward_input = {memory((2 * shape.sent_rows + shape.tokens) * h)};
  op.saved_elements = shape.sent_rows * h;
  op.saved_input_bytes = op.saved_elements * element_;
  op.input_elements = shape.sent_rows * h;
  op.output_elements = shape.tokens * h;
  op.reduces_output = shape.joined;
  return op;
}

/// The way back, after the last matrices of the experts.
void OpBuilder::exchange_results(const ExpertShape& shape, Op& expert_down) const {
  const ExpertParallel& expert = options_.expert;
  const std::int64_t h = model_.hidden;
  const auto add = [&](const char* name, base::Collective op, AxisSet axes, std::int64_t rows) {
    const std::int64_t bytes = rows * h * element_;
    expert_down.exchanges.push_back({name, op, axes, bytes, expert.backward_exchange ? bytes : 0});
  };
  if (expert.degree > 1 && expert.dispatcher == Dispatcher::all_gather) {
    add("reduce-scatter tokens", base::Collective::reduce_scatter,
        Axis::expert | Axis::expert_tensor,
        shape.tokens * expert.degree * (shape.gathers ? expert.tensor : 1));
    return;
  }
  if (shape.gathers)
    add("reduce-scatter rows", base::Collective::reduce_scatter, Axis::expert_tensor, shape.rows());
  if (expert.degree == 1) return;
  if (expert.inner() == 1) {
    add("all-to-all results", base::Collective::all_to_all, Axis::expert, shape.busy_rows);
    return;
  }
  add("all-to-all results inside nodes", base::Collective::all_to_all, Axis::expert_inner,
      shape.busy_rows);
  add("all-to-all results across nodes", base::Collective::all_to_all, Axis::expert_outer,
      shape.busy_crossings);
}

/// One grouped GEMM over the experts of this rank, each with its equal share of the rows. In narrow
/// formats each expert's rows are cast by themselves (Transformer Engine's GroupedLinear).
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
  const base::DType type = options_.dtype;
  op.forward = {base::Gemm{m, n, k, shape.experts, type, stored_}};
  op.backward_input = {base::Gemm{m, k, n, shape.experts, type, stored_}};
  op.backward_weight = {base::Gemm{k, n, m, shape.experts, type, stored_}};
  if (mixture.expert_bias) op.backward_weight.push_back(memory(shape.experts * m * n));
  op.parameters = mixture.experts * (in * out + (mixture.expert_bias ? out : 0));
  op.expert = true;
  op.saved_elements = shape.rows() * k;
  op.saved_input_bytes = op.saved_elements * element_;
  quantise(shape.rows() * k, shape.rows() * n, shape.experts, op);
  if (narrow() && mixture.capacity_factor == 0) align_rows(up, shape, op);
  op.input_elements = shape.rows() * k;
  op.output_elements = shape.rows() * n;
  return op;
}

/// Narrow matrix products take 16 or 32 rows at a time: those of each expert are copied to where
/// they are a multiple of it, and the results back (Transformer Engine's Fp8Padding and
/// Fp8Unpadding).
void OpBuilder::align_rows(bool up, const ExpertShape& shape, Op& op) const {
  const base::Kernel copy = memory(2 * shape.rows() * model_.hidden);
  std::vector<base::Kernel>& first = up ? op.forward : op.backward_input;
  std::vector<base::Kernel>& last = up ? op.backward_input : op.forward;
  first.insert(first.begin(), copy);
  last.push_back(copy);
}

void OpBuilder::shared_experts(std::vector<Op>& ops, bool joined) const {
  const Mixture& mixture = *model_.mixture;
  if (mixture.shared_ffn == 0) return;
  const std::size_t first = ops.size();
  dense_mlp(ops, "shared_", mixture.shared_ffn, false, false);
  if (mixture.shared_gate) ops[first].parameters += model_.hidden;
  if (!joined) return;
  // The tokens are gathered once, by dispatch, and the sum is reduced once, after combine.
  for (std::size_t i = first; i < ops.size(); ++i)
    ops[i].gathers_input = ops[i].reduces_output = false;
}

void OpBuilder::mixture(std::vector<Op>& ops) const {
  const ExpertShape shape = expert_shape();
  ops.push_back(router());
  ops.push_back(dispatch(shape));
  shared_experts(ops, shape.joined);
  ops.push_back(expert_linear(OpKind::expert_up, shape));
  ops.push_back(
      activation(OpKind::expert_activation, "expert_activation", shape.rows(), shape.ffn_local));
  ops.push_back(expert_linear(OpKind::expert_down, shape));
  sort_rows(shape, ops.back());
  exchange_results(shape, ops.back());
  ops.push_back(combine(shape));
}

}  // namespace strategies
