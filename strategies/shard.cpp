#include "strategies/shard.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "strategies/working_set.hpp"

namespace strategies {

namespace {

using base::Bytes;
using base::Collective;
using base::DType;
using base::Kernel;

/// An activation between kernels.
Bytes stored(std::int64_t elements, const Plan& plan) {
  return Bytes::from_double(static_cast<double>(elements) *
                            base::bytes_of(stored_type(plan.precision.compute)));
}

/// Only layers are recomputed; the embedding and the head are not.
bool is_layer(const Block& block) { return block.name != "embedding" && block.name != "head"; }

/// Weight gradients, added up over micro-batches in the gradient format: by the matrix products
/// themselves, or by a kernel that reads both and writes the sum.
std::vector<Kernel> accumulating(std::vector<Kernel> kernels, const Plan& plan) {
  const DType gradients = plan.precision.gradients;
  const DType produced = stored_type(plan.precision.compute);
  double added = 0;  // bytes
  int sums = 0;
  for (Kernel& kernel : kernels) {
    auto* gemm = std::get_if<base::Gemm>(&kernel);
    if (gemm == nullptr) continue;
    const bool apart = plan.accumulates() && !plan.execution.fused_accumulation;
    gemm->output = apart ? produced : gradients;
    gemm->adds = plan.accumulates() && !apart;
    if (!apart) continue;
    added += static_cast<double>(gemm->m) * static_cast<double>(gemm->n) *
             static_cast<double>(gemm->batch) *
             (base::bytes_of(produced) + 2 * base::bytes_of(gradients));
    ++sums;
  }
  if (sums > 0) kernels.emplace_back(base::MemoryBound{Bytes::from_double(added), sums});
  return kernels;
}

/// What of a block's forward runs again in its backward.
struct RecomputePolicy {
  bool all = false;
  std::vector<std::string> operators;  ///< by kind or name

  bool has(const Op& op) const {
    return all || std::any_of(operators.begin(), operators.end(), [&](const std::string& word) {
             return word == name_of(op.kind) || word == op.name;
           });
  }
};

RecomputePolicy policy_of(const Plan& plan) {
  switch (plan.recompute) {
    case Recompute::none: return {};
    case Recompute::selective: return {false, {"attention"}};
    case Recompute::full: return {true, {}};
    case Recompute::operators: return {false, plan.recompute_operators};
  }
  return {};
}

class Cutter {
 public:
  Cutter(const ModelSpec& model, const Plan& plan)
      : plan_(plan),
        tokens_(plan.micro_batch * base::ceil_div(plan.sequence, plan.context.degree)),
        hidden_(stored(tokens_ * model.hidden, plan)) {}

  ShardedBlock block(const Block& source, const RecomputePolicy& recompute) const {
    ShardedBlock block;
    block.name = source.name;
    for (const Op& op : source.ops) forward(op, WorkPhase::forward, block.forward);
    for (const Op& op : source.ops)
      if (recompute.has(op)) forward(op, WorkPhase::recompute, block.backward);
    block.backward_input = block.backward;
    for (auto op = source.ops.rbegin(); op != source.ops.rend(); ++op) backward(*op, block);
    for (const Op& op : source.ops) add_parameters(op, block);
    add_sharding_copies(source, block);
    account_memory(source, recompute, block);
    return block;
  }

  Bytes boundary() const { return sequence_parallel() ? ceil_div(hidden_, plan_.tensor) : hidden_; }

 private:
  bool sequence_parallel() const { return plan_.sequence_parallel && plan_.tensor > 1; }
  /// Whether copies of an expert are other ranks than copies of the rest.
  bool experts_apart() const { return plan_.expert.degree > 1 || expert_tensor() != plan_.tensor; }

  int expert_tensor() const { return plan_.expert.tensor_or(plan_.tensor); }

  Communication tensor(Collective op, Bytes bytes) const { return {op, Axis::tensor, bytes}; }
  Communication gather(std::int64_t elements) const {
    return tensor(Collective::all_gather, stored(elements, plan_));
  }

  /// Matrix products for the tokens of one tensor rank; all are computed part by part, so that the
  /// part of one rank is computed while that of another travels (arXiv 2105.05720).
  std::vector<Kernel> first_part(std::vector<Kernel> kernels) const {
    for (Kernel& kernel : kernels)
      if (auto* gemm = std::get_if<base::Gemm>(&kernel))
        gemm->m = base::ceil_div(gemm->m, plan_.tensor);
    return kernels;
  }

  /// For the tokens of all other ranks, in one.
  std::vector<Kernel> rest(const std::vector<Kernel>& kernels) const {
    std::vector<Kernel> others;
    for (const Kernel& kernel : kernels)
      if (const auto* gemm = std::get_if<base::Gemm>(&kernel)) {
        base::Gemm other = *gemm;
        other.m -= base::ceil_div(gemm->m, plan_.tensor);
        if (other.m > 0) others.emplace_back(other);
      }
    return others;
  }

  /// The same, part by part.
  std::vector<Kernel> other_parts(const std::vector<Kernel>& kernels) const {
    std::vector<Kernel> parts;
    for (const Kernel& kernel : first_part(kernels))
      if (std::holds_alternative<base::Gemm>(kernel))
        parts.insert(parts.end(), static_cast<std::size_t>(plan_.tensor - 1), kernel);
    return parts;
  }

  /// While one part is computed the next one arrives, so that behind the last there is one more.
  void add_gathered(std::vector<Work>& works, const std::string& label, WorkPhase phase,
                    const std::vector<Kernel>& kernels, const Communication& gathered) const {
    add(works, label, phase, other_parts(kernels), gathered);
    add(works, label, phase, first_part(kernels));
  }

  static void add(std::vector<Work>& works, std::string label, WorkPhase phase,
                  std::vector<Kernel> kernels,
                  std::optional<Communication> communication = std::nullopt) {
    if (!kernels.empty() || communication)
      works.push_back({std::move(label), phase, std::move(kernels), std::move(communication)});
  }

  void forward(const Op& op, WorkPhase phase, std::vector<Work>& works) const {
    const bool gathers = sequence_parallel() && op.gathers_input;
    const bool reduces = plan_.tensor > 1 && op.reduces_output;
    const TensorOverlap overlap =
        sequence_parallel() && is_linear(op) ? plan_.overlap.tensor : TensorOverlap::none;
    std::optional<Communication> reduction;
    std::string reduction_label;
    if (reduces) {
      const bool scatter = sequence_parallel();
      reduction_label = (scatter ? "reduce-scatter " : "all-reduce ") + op.name;
      reduction = tensor(scatter ? Collective::reduce_scatter : Collective::all_reduce,
                         stored(op.output_elements, plan_));
    }
    if (overlap == TensorOverlap::own_part && gathers) {
      add(works, op.name, phase, first_part(op.forward), gather(op.input_elements));
      add(works, op.name, phase, rest(op.forward));
    } else if (overlap == TensorOverlap::parts && gathers) {
      add_gathered(works, op.name, phase, op.forward, gather(op.input_elements));
    } else if (overlap == TensorOverlap::parts && reduces) {
      // The first part has nothing to send yet.
      add(works, op.name, phase, first_part(op.forward));
      add(works, op.name, phase, other_parts(op.forward), reduction);
    } else {
      if (gathers) add(works, "all-gather " + op.name, phase, {}, gather(op.input_elements));
      add(works, op.name, phase, op.forward);
      if (reduces) add(works, reduction_label, phase, {}, reduction);
    }
    ring(op, phase, works);
    for (const Exchange& exchange : op.exchanges)
      add(works, exchange.name, phase, {},
          Communication{exchange.op, exchange.axes, Bytes::from_count(exchange.bytes)});
    if (plan_.tensor == 1) return;
    if (op.kind == OpKind::head && plan_.gather_logits)
      add(works, "all-gather logits", phase, {}, gather(op.output_elements * plan_.tensor));
    // Vocabulary-parallel cross-entropy: maximum, sum of exponentials and target logit, fp32.
    if (op.kind == OpKind::loss && !plan_.gather_logits)
      for (const char* what : {"maximum", "sum", "target"})
        add(works, fmt::format("all-reduce logits {}", what), phase, {},
            tensor(Collective::all_reduce, Bytes::from_count(std::int64_t{4} * tokens_)));
  }

  static bool is_linear(const Op& op) {
    return op.split == TensorSplit::column || op.split == TensorSplit::row;
  }

  /// The block of the next step travels during this one.
  void ring(const Op& op, WorkPhase phase, std::vector<Work>& works) const {
    for (std::size_t step = 0; step < op.ring.size(); ++step) {
      std::optional<Communication> next;
      if (step + 1 < op.ring.size())
        next =
            Communication{Collective::send_receive, Axis::ring, Bytes::from_count(op.ring_bytes)};
      add(works, fmt::format("{} step {}", op.name, step), phase, op.ring[step].forward, next);
    }
  }

  /// Backward, the gradients of the block travel with it, and once more than it to get home.
  void ring_backward(const Op& op, ShardedBlock& block) const {
    for (std::size_t step = 0; step < op.ring.size(); ++step) {
      const int parts = step + 1 < op.ring.size() ? 2 : 1;
      add_backward(block, fmt::format("{} step {} gradient", op.name, step), op.ring[step].backward,
                   Communication{Collective::send_receive, Axis::ring,
                                 Bytes::from_count(parts * op.ring_bytes)});
    }
  }

  /// In the fused backward and in its first half.
  static void add_backward(ShardedBlock& block, const std::string& label,
                           const std::vector<Kernel>& kernels,
                           const std::optional<Communication>& communication = std::nullopt) {
    add(block.backward, label, WorkPhase::backward, kernels, communication);
    add(block.backward_input, label, WorkPhase::backward, kernels, communication);
  }

  static Collective opposite(Collective op) {
    switch (op) {
      case Collective::all_gather: return Collective::reduce_scatter;
      case Collective::reduce_scatter: return Collective::all_gather;
      default: return op;
    }
  }

  void backward(const Op& op, ShardedBlock& block) const {
    const WorkPhase phase = WorkPhase::backward;
    for (auto exchange = op.exchanges.rbegin(); exchange != op.exchanges.rend(); ++exchange)
      if (exchange->backward_bytes > 0)
        add_backward(block, exchange->name + " gradient", {},
                     Communication{opposite(exchange->op), exchange->axes,
                                   Bytes::from_count(exchange->backward_bytes)});
    ring_backward(op, block);
    const std::vector<Kernel> weight = accumulating(op.backward_weight, plan_);
    const std::string input_label = op.name + " input gradient";
    const std::string weight_label = op.name + " weight gradient";
    std::optional<Communication> regather;  // of the input, for the weight gradient
    std::optional<Communication> reduce;    // of the input's gradient
    std::string reduce_label;
    std::optional<Communication> parts;  // of the output's gradient, gathered part by part
    if (sequence_parallel()) {
      const bool overlaps = plan_.overlap.tensor == TensorOverlap::parts && is_linear(op);
      if (op.reduces_output && overlaps) {
        parts = gather(op.output_elements);
      } else if (op.reduces_output) {
        add_backward(block, "all-gather gradient " + op.name, {}, gather(op.output_elements));
      }
      if (op.gathers_input) {
        // Only a weight gradient needs the whole input once more.
        if (!weight.empty()) regather = gather(op.input_elements);
        reduce = tensor(Collective::reduce_scatter, stored(op.input_elements, plan_));
        reduce_label = "reduce-scatter gradient " + op.name;
      }
    } else if (plan_.tensor > 1 && op.gathers_input) {
      reduce = tensor(Collective::all_reduce, stored(op.input_elements, plan_));
      reduce_label = "all-reduce gradient " + op.name;
    }
    for (std::vector<Work>* works : {&block.backward, &block.backward_input}) {
      if (parts)
        add_gathered(*works, input_label, phase, op.backward_input, *parts);
      else
        add(*works, input_label, phase, op.backward_input,
            works == &block.backward ? regather : std::nullopt);
    }
    add(block.backward, weight_label, phase, weight, reduce);
    if (reduce) add(block.backward_input, reduce_label, phase, {}, reduce);
    if (regather) add(block.backward_weight, "all-gather input " + op.name, phase, {}, regather);
    add(block.backward_weight, weight_label, phase, weight);
  }

  std::int64_t local_parameters(const Op& op) const {
    const bool divided = op.split == TensorSplit::column || op.split == TensorSplit::row ||
                         op.split == TensorSplit::vocabulary;
    const int parts = op.expert ? plan_.expert.degree * expert_tensor()
                      : divided ? plan_.tensor
                                : 1;
    return base::ceil_div(op.parameters, parts);
  }

  Bytes saved_by(const Op& op) const {
    return stored(op.saved_elements, plan_) + Bytes::from_count(op.saved_bytes);
  }

  /// An operator that runs again gives up what only it keeps, and its output, which the operator
  /// behind keeps as its input. The attention of `selective` gives up its scores only.
  void account_memory(const Block& source, const RecomputePolicy& recompute,
                      ShardedBlock& block) const {
    Bytes all;
    Bytes given_up;
    for (std::size_t i = 0; i < source.ops.size(); ++i) {
      const Op& op = source.ops[i];
      all += saved_by(op);
      if (op.expert && !recompute.has(op)) block.saved_by_experts += saved_by(op);
      if (!op.backward_weight.empty() && op.split != TensorSplit::sequence)
        block.kept_for_weight += stored(op.saved_elements + op.output_elements, plan_);
      if (!recompute.has(op)) continue;
      given_up += saved_by(op) - Bytes::from_count(op.saved_input_bytes);
      if (plan_.recompute == Recompute::operators && i + 1 < source.ops.size())
        given_up += Bytes::from_count(source.ops[i + 1].saved_input_bytes);
    }
    block.saved = recompute.all ? boundary() : all - given_up;
    block.working = (recompute.all ? all : given_up) + backward_temporaries(source.ops, plan_);
  }

  void add_parameters(const Op& op, ShardedBlock& block) const {
    const std::int64_t elements = local_parameters(op);
    if (elements == 0) return;
    const bool apart = op.expert && experts_apart();
    (apart ? block.expert_parameters : block.parameters) += elements;
    (apart ? block.expert_tensors : block.parameter_tensors).push_back(elements);
    std::vector<WeightMatrix>& matrices = apart ? block.expert_matrices : block.matrices;
    for (const WeightMatrix& matrix : weight_matrices(op, elements)) matrices.push_back(matrix);
  }

  void add_sharding_copies(const Block& source, ShardedBlock& block) const {
    const ShardingCopies copies = sharding_copies(plan_);
    const auto elements = static_cast<double>(block.parameters + block.expert_parameters);
    const auto add_copy = [&](std::vector<Work>& works, bool first, const char* label,
                              WorkPhase phase, double bytes) {
      if (bytes == 0) return;
      const base::MemoryBound pass{Bytes::from_double(bytes * elements), 1};
      works.insert(first ? works.begin() : works.end(), {label, phase, {pass}, {}});
    };
    const char* const gathered = "copy gathered parameters";
    add_copy(block.forward, true, gathered, WorkPhase::forward, copies.forward);
    // The gradient of an embedding needs no parameters.
    const double again = is_layer(source)        ? copies.backward
                         : source.name == "head" ? copies.backward_of_head
                                                 : 0;
    for (std::vector<Work>* works : {&block.backward, &block.backward_input})
      add_copy(*works, true, gathered, WorkPhase::backward, again);
    for (std::vector<Work>* works : {&block.backward, &block.backward_weight})
      add_copy(*works, false, "copy gradients", WorkPhase::backward, copies.gradients);
  }

  const Plan& plan_;
  std::int64_t tokens_;  ///< of one micro-batch, on this context rank
  Bytes hidden_;         ///< their hidden states
};

OpOptions options_of(const Plan& plan) {
  const std::string& kernels = plan.attention_kernels;
  return {.batch = plan.micro_batch,
          .seq = plan.sequence,
          .dtype = plan.precision.compute,
          .flash_attention = plan.flash_attention,
          .fused_softmax = kernels.empty() || kernels == "fused-softmax",
          .tensor = plan.tensor,
          .sequence_parallel = plan.sequence_parallel && plan.tensor > 1,
          .fused_projections = plan.fused_projections,
          .reduce_per_linear = plan.reduce_per_linear,
          .gather_logits = plan.gather_logits,
          .elementwise_traffic = plan.execution.elementwise_traffic,
          .fused_gate = plan.execution.fused_gate,
          .scaling = plan.precision.scaling,
          .context = plan.context,
          .expert = plan.expert};
}

}  // namespace

ShardingCopies sharding_copies(const Plan& plan) {
  const FsdpLayout layout = plan.execution.fsdp_layout;
  if (plan.zero < 3 || plan.data * plan.context.degree == 1 || layout == FsdpLayout::buffer)
    return {};
  const double produced = base::bytes_of(stored_type(plan.precision.compute));
  const double gathered =
      base::bytes_of(plan.fsdp.gather_dtype.value_or(plan.precision.parameters));
  const double reduced = base::bytes_of(plan.fsdp.reduce_dtype.value_or(plan.precision.gradients));
  ShardingCopies copies;
  if (layout == FsdpLayout::per_parameter) {
    copies.forward = 2 * gathered;
    if (plan.fsdp.ranks_after_forward != 1) copies.backward = 2 * gathered;
    if (plan.fsdp.root == FsdpRoot::none) copies.backward_of_head = copies.backward;
    copies.gradients = produced + reduced;
  } else {
    copies.gradients = 2 * produced + 2 * reduced;
    if (reduced != produced) copies.gradients += produced + reduced;
  }
  if (plan.gradient_sync() == GradientSync::last && plan.micro_batches() > 1) copies.gradients = 0;
  return copies;
}

ShardedGraph shard(const ModelSpec& model, const Plan& plan) {
  const OpGraph ops = build_ops(model, options_of(plan));
  const Cutter cutter(model, plan);
  const RecomputePolicy recompute = policy_of(plan);
  ShardedGraph graph;
  for (const Block& block : ops.blocks)
    graph.blocks.push_back(cutter.block(block, is_layer(block) ? recompute : RecomputePolicy{}));
  graph.layer_block = ops.layer_block;
  graph.embedding_block = ops.embedding_block;
  graph.head_block = ops.head_block;
  graph.boundary = cutter.boundary();
  if (plan.scatters_messages && plan.tensor > 1 && !plan.sequence_parallel) {
    graph.behind_message = Communication{Collective::all_gather, Axis::tensor, graph.boundary};
    graph.boundary = ceil_div(graph.boundary, plan.tensor);
  }
  if (plan.recompute_every > 1) {
    // Layers in between keep everything: a second block of each kind.
    std::map<int, int> keeping;
    for (std::size_t layer = 0; layer < graph.layer_block.size(); ++layer) {
      if (layer % static_cast<std::size_t>(plan.recompute_every) == 0) continue;
      const auto [known, fresh] =
          keeping.try_emplace(graph.layer_block[layer], static_cast<int>(graph.blocks.size()));
      if (fresh)
        graph.blocks.push_back(
            cutter.block(ops.blocks[static_cast<std::size_t>(known->first)], {}));
      graph.layer_block[layer] = known->second;
    }
  }
  for (const int block : graph.layer_block)
    for (const Work& work : graph.blocks[static_cast<std::size_t>(block)].backward)
      if (work.phase == WorkPhase::recompute)
        for (const Kernel& kernel : work.kernels)
          graph.recompute_flop += flop_of(kernel) * (plan.tensor * plan.context.degree);
  // The last stage of a pipeline has its own copy of a tied embedding.
  if (model.tied_embeddings && plan.ends_apart()) {
    ShardedBlock& head = graph.blocks[static_cast<std::size_t>(graph.head_block)];
    head.parameter_tensors.push_back(base::ceil_div(model.vocab * model.hidden, plan.tensor));
    head.parameters += head.parameter_tensors.back();
  }
  return graph;
}

base::Flop model_flop(const ModelSpec& model, const Plan& plan) {
  ModelSpec dropless = model;  // what fills up an expert's capacity is no work of the model
  if (dropless.mixture) dropless.mixture->capacity_factor = 0;
  const OpGraph ops = build_ops(dropless, {.batch = plan.micro_batch, .seq = plan.sequence});
  base::Flop sum;
  const auto count = [&](int block) {
    for (const Op& op : ops.blocks[static_cast<std::size_t>(block)].ops)
      for (const Kernel& kernel : op.forward) sum += flop_of(kernel) * 3.0;
  };
  count(ops.embedding_block);
  for (const int block : ops.layer_block) count(block);
  count(ops.head_block);
  return sum;
}

}  // namespace strategies
