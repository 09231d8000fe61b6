#include "strategies/shard.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace strategies {

namespace {

using base::Bytes;
using base::Collective;
using base::DType;
using base::Kernel;

/// What lies between kernels has 16 bits at least, whatever the GEMM inputs have.
Bytes stored(std::int64_t elements, const Plan& plan) {
  return Bytes::from_double(static_cast<double>(elements) *
                            std::max(base::bytes_of(plan.precision.compute), 2.0));
}

/// Only layers are recomputed; the embedding and the head are not.
bool is_layer(const Block& block) { return block.name != "embedding" && block.name != "head"; }

/// Weight gradients accumulate in the gradient format.
std::vector<Kernel> accumulating(std::vector<Kernel> kernels, DType gradients) {
  for (Kernel& kernel : kernels)
    if (auto* gemm = std::get_if<base::Gemm>(&kernel)) gemm->output = gradients;
  return kernels;
}

class Cutter {
 public:
  Cutter(const ModelSpec& model, const Plan& plan)
      : plan_(plan), tokens_(stored(plan.micro_batch * plan.sequence * model.hidden, plan)) {}

  ShardedBlock block(const Block& source) const {
    ShardedBlock block;
    block.name = source.name;
    block.forward = forward(source, WorkPhase::forward, /*attention_only=*/false);
    block.backward = block.backward_input = recomputed(source);
    for (auto op = source.ops.rbegin(); op != source.ops.rend(); ++op) backward(*op, block);
    for (const Op& op : source.ops) block.parameters += local_parameters(op);
    account_memory(source, block);
    return block;
  }

  Bytes boundary() const { return sequence_parallel() ? ceil_div(tokens_, plan_.tensor) : tokens_; }

 private:
  bool sequence_parallel() const { return plan_.sequence_parallel && plan_.tensor > 1; }

  Communication tensor(Collective op, Bytes bytes) const { return {op, Axis::tensor, bytes}; }

  std::vector<Work> forward(const Block& source, WorkPhase phase, bool attention_only) const {
    std::vector<Work> works;
    for (const Op& op : source.ops) {
      if (attention_only && op.kind != OpKind::attention) continue;
      if (sequence_parallel() && op.gathers_input)
        works.push_back({"all-gather " + op.name,
                         phase,
                         {},
                         tensor(Collective::all_gather, stored(op.input_elements, plan_))});
      if (!op.forward.empty()) works.push_back({op.name, phase, op.forward, std::nullopt});
      if (plan_.tensor > 1 && op.reduces_output) {
        const bool scatter = sequence_parallel();
        works.push_back({(scatter ? "reduce-scatter " : "all-reduce ") + op.name,
                         phase,
                         {},
                         tensor(scatter ? Collective::reduce_scatter : Collective::all_reduce,
                                stored(op.output_elements, plan_))});
      }
      // Vocabulary-parallel cross-entropy: maximum, sum of exponentials and target logit, fp32.
      if (plan_.tensor > 1 && op.kind == OpKind::loss)
        for (const char* what : {"maximum", "sum", "target"})
          works.push_back(
              {fmt::format("all-reduce logits {}", what),
               phase,
               {},
               tensor(Collective::all_reduce,
                      Bytes::from_count(std::int64_t{4} * plan_.micro_batch * plan_.sequence))});
    }
    return works;
  }

  std::vector<Work> recomputed(const Block& source) const {
    if (!is_layer(source) || plan_.recompute == Recompute::none) return {};
    return forward(source, WorkPhase::recompute, plan_.recompute == Recompute::selective);
  }

  static void add(std::vector<Work>& works, std::string label, std::vector<Kernel> kernels,
                  std::optional<Communication> communication = std::nullopt) {
    if (!kernels.empty() || communication)
      works.push_back(
          {std::move(label), WorkPhase::backward, std::move(kernels), std::move(communication)});
  }

  void backward(const Op& op, ShardedBlock& block) const {
    const std::vector<Kernel> weight = accumulating(op.backward_weight, plan_.precision.gradients);
    const std::string input_label = op.name + " input gradient";
    const std::string weight_label = op.name + " weight gradient";
    std::optional<Communication> regather;  // of the input, for the weight gradient
    std::optional<Communication> reduce;    // of the input's gradient
    std::string reduce_label;
    if (sequence_parallel()) {
      if (op.reduces_output) {
        const Communication gather =
            tensor(Collective::all_gather, stored(op.output_elements, plan_));
        add(block.backward, "all-gather gradient " + op.name, {}, gather);
        add(block.backward_input, "all-gather gradient " + op.name, {}, gather);
      }
      if (op.gathers_input) {
        // Only a weight gradient needs the whole input once more.
        if (!weight.empty())
          regather = tensor(Collective::all_gather, stored(op.input_elements, plan_));
        reduce = tensor(Collective::reduce_scatter, stored(op.input_elements, plan_));
        reduce_label = "reduce-scatter gradient " + op.name;
      }
    } else if (plan_.tensor > 1 && op.gathers_input) {
      reduce = tensor(Collective::all_reduce, stored(op.input_elements, plan_));
      reduce_label = "all-reduce gradient " + op.name;
    }
    add(block.backward, input_label, op.backward_input, regather);
    add(block.backward, weight_label, weight, reduce);
    add(block.backward_input, input_label, op.backward_input);
    if (reduce) add(block.backward_input, reduce_label, {}, reduce);
    if (regather) add(block.backward_weight, "all-gather input " + op.name, {}, regather);
    add(block.backward_weight, weight_label, weight);
  }

  std::int64_t local_parameters(const Op& op) const {
    const bool divided = op.split == TensorSplit::column || op.split == TensorSplit::row ||
                         op.split == TensorSplit::vocabulary;
    return divided ? (op.parameters + plan_.tensor - 1) / plan_.tensor : op.parameters;
  }

  Bytes saved_by(const Op& op) const {
    return stored(op.saved_elements, plan_) + Bytes::from_count(op.saved_bytes);
  }

  void account_memory(const Block& source, ShardedBlock& block) const {
    Bytes all;
    Bytes attention;
    for (const Op& op : source.ops) {
      all += saved_by(op);
      if (op.kind == OpKind::attention) attention += saved_by(op);
      if (!op.backward_weight.empty() && op.split != TensorSplit::sequence)
        block.kept_for_weight += stored(op.saved_elements + op.output_elements, plan_);
    }
    block.saved = all;
    if (!is_layer(source)) return;
    if (plan_.recompute == Recompute::selective) {
      block.saved = all - attention;
      block.working = attention;
    } else if (plan_.recompute == Recompute::full) {
      block.saved = boundary();
      block.working = all;
    }
  }

  const Plan& plan_;
  Bytes tokens_;  ///< hidden states of one micro-batch
};

void count_flop(const ShardedBlock& block, const Plan& plan, base::Flop& model,
                base::Flop& hardware) {
  const auto add = [&](const std::vector<Work>& works) {
    for (const Work& work : works)
      for (const Kernel& kernel : work.kernels) {
        const base::Flop flop = flop_of(kernel) * plan.tensor;
        hardware += flop;
        if (work.phase == WorkPhase::recompute) continue;
        // Model FLOPs of a backward are twice the forward; fused attention does 2.5 times, since
        // it recomputes the scores.
        const auto* attention = std::get_if<base::Attention>(&kernel);
        model += attention != nullptr && attention->backward ? flop * (2.0 / 2.5) : flop;
      }
  };
  add(block.forward);
  add(block.backward);
}

}  // namespace

ShardedGraph shard(const ModelSpec& model, const Plan& plan) {
  const OpGraph ops =
      build_ops(model, {.batch = plan.micro_batch,
                        .seq = plan.sequence,
                        .dtype = plan.precision.compute,
                        .flash_attention = plan.flash_attention,
                        .tensor = plan.tensor,
                        .sequence_parallel = plan.sequence_parallel && plan.tensor > 1});
  const Cutter cutter(model, plan);
  ShardedGraph graph;
  for (const Block& block : ops.blocks) graph.blocks.push_back(cutter.block(block));
  graph.layer_block = ops.layer_block;
  graph.embedding_block = ops.embedding_block;
  graph.head_block = ops.head_block;
  graph.boundary = cutter.boundary();
  const auto count = [&](int block) {
    count_flop(graph.blocks[static_cast<std::size_t>(block)], plan, graph.model_flop,
               graph.hardware_flop);
  };
  count(graph.embedding_block);
  for (const int block : graph.layer_block) count(block);
  count(graph.head_block);
  // The last stage of a pipeline has its own copy of a tied embedding.
  if (model.tied_embeddings && plan.pipeline > 1)
    graph.blocks[static_cast<std::size_t>(graph.head_block)].parameters +=
        (model.vocab * model.hidden + plan.tensor - 1) / plan.tensor;
  return graph;
}

}  // namespace strategies
