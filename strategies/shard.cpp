#include "strategies/shard.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace strategies {

namespace {

using base::Bytes;
using base::Collective;
using base::DType;
using base::Gemm;
using base::Kernel;

/// Whether an operator enters a divided region (its input must be whole) or leaves one (its output
/// is a partial sum). Routed experts are entered at the router and left after the combination, so
/// that each token travels once and not once per chosen expert.
bool enters(const Op& op) {
  if (op.expert) return false;
  return op.split == TensorSplit::column || op.kind == OpKind::router || op.kind == OpKind::head;
}
bool leaves(const Op& op) {
  if (op.expert) return false;
  return op.split == TensorSplit::row || op.kind == OpKind::combine ||
         op.kind == OpKind::embedding;
}

Bytes whole_tokens(const ModelSpec& model, const Plan& plan) {
  return Bytes::from_double(static_cast<double>(plan.micro_batch) *
                            static_cast<double>(plan.sequence) *
                            static_cast<double>(model.hidden) *
                            base::bytes_of(plan.precision.compute));
}

const Gemm* first_gemm(const std::vector<Kernel>& kernels) {
  for (const Kernel& kernel : kernels)
    if (const auto* gemm = std::get_if<Gemm>(&kernel)) return gemm;
  return nullptr;
}

/// Weight gradients accumulate in the gradient format.
std::vector<Kernel> accumulating(std::vector<Kernel> kernels, DType gradients) {
  for (Kernel& kernel : kernels)
    if (auto* gemm = std::get_if<Gemm>(&kernel)) gemm->output = gradients;
  return kernels;
}

class Cutter {
 public:
  Cutter(const ModelSpec& model, const Plan& plan)
      : model_(model), plan_(plan), tokens_(whole_tokens(model, plan)) {}

  ShardedBlock block(const Block& source) const {
    ShardedBlock block;
    block.name = source.name;
    block.forward = forward(source, WorkPhase::forward, /*attention_only=*/false);
    block.backward = recomputed(source);
    for (auto op = source.ops.rbegin(); op != source.ops.rend(); ++op) backward(*op, block.backward);
    for (const Op& op : source.ops) block.parameters += local_parameters(op);
    account_memory(source, block);
    return block;
  }

  Bytes boundary() const {
    return sequence_parallel() ? ceil_div(tokens_, plan_.tensor) : tokens_;
  }

 private:
  bool sequence_parallel() const { return plan_.sequence_parallel && plan_.tensor > 1; }

  Communication tensor(Collective op, Bytes bytes) const { return {op, Axis::tensor, bytes}; }

  /// Bytes that must be gathered before `op`, or summed after it.
  Bytes input_bytes(const Op& op) const {
    const Gemm* gemm = op.kind == OpKind::router ? nullptr : first_gemm(op.forward);
    if (gemm == nullptr) return tokens_;
    return Bytes::from_double(static_cast<double>(gemm->m * gemm->k) *
                              base::bytes_of(plan_.precision.compute));
  }

  std::vector<Work> forward(const Block& source, WorkPhase phase, bool attention_only) const {
    std::vector<Work> works;
    for (const Op& op : source.ops) {
      if (attention_only && op.kind != OpKind::attention) continue;
      if (sequence_parallel() && enters(op))
        works.push_back({"all-gather " + op.name, phase, {},
                         tensor(Collective::all_gather, input_bytes(op))});
      if (!op.forward.empty()) works.push_back({op.name, phase, op.forward, std::nullopt});
      if (plan_.tensor > 1 && leaves(op)) {
        const bool scatter = sequence_parallel();
        works.push_back({(scatter ? "reduce-scatter " : "all-reduce ") + op.name, phase, {},
                         tensor(scatter ? Collective::reduce_scatter : Collective::all_reduce,
                                tokens_)});
      }
      // Vocabulary-parallel cross-entropy: maximum, sum of exponentials and target logit, fp32.
      if (plan_.tensor > 1 && op.kind == OpKind::loss)
        for (const char* what : {"maximum", "sum", "target"})
          works.push_back({fmt::format("all-reduce logits {}", what), phase, {},
                           tensor(Collective::all_reduce,
                                  Bytes::from_count(4 * plan_.micro_batch * plan_.sequence))});
    }
    return works;
  }

  std::vector<Work> recomputed(const Block& source) const {
    const bool layer = source.name != "embedding" && source.name != "head";
    if (!layer || plan_.recompute == Recompute::none) return {};
    return forward(source, WorkPhase::recompute, plan_.recompute == Recompute::selective);
  }

  void backward(const Op& op, std::vector<Work>& works) const {
    const auto add = [&](std::string label, std::vector<Kernel> kernels,
                         std::optional<Communication> communication = std::nullopt) {
      if (!kernels.empty() || communication)
        works.push_back({std::move(label), WorkPhase::backward, std::move(kernels),
                         std::move(communication)});
    };
    const std::vector<Kernel> weight = accumulating(op.backward_weight, plan_.precision.gradients);
    if (sequence_parallel()) {
      if (leaves(op))
        add("all-gather gradient " + op.name, {}, tensor(Collective::all_gather, tokens_));
      std::optional<Communication> regather;
      std::optional<Communication> scatter;
      if (enters(op)) {
        regather = tensor(Collective::all_gather, input_bytes(op));
        scatter = tensor(Collective::reduce_scatter, input_bytes(op));
      }
      add(op.name + " input gradient", op.backward_input, regather);
      add(op.name + " weight gradient", weight, scatter);
      return;
    }
    std::optional<Communication> reduce;
    if (plan_.tensor > 1 && enters(op))
      reduce = tensor(Collective::all_reduce, input_bytes(op));
    add(op.name + " input gradient", op.backward_input);
    add(op.name + " weight gradient", weight, reduce);
  }

  std::int64_t local_parameters(const Op& op) const {
    const bool divided = op.split == TensorSplit::column || op.split == TensorSplit::row ||
                         op.split == TensorSplit::vocabulary || op.split == TensorSplit::heads;
    return divided ? (op.parameters + plan_.tensor - 1) / plan_.tensor : op.parameters;
  }

  Bytes saved_by(const Op& op) const {
    return Bytes::from_double(static_cast<double>(op.saved_elements) *
                                  base::bytes_of(plan_.precision.compute) +
                              static_cast<double>(op.saved_bytes));
  }

  void account_memory(const Block& source, ShardedBlock& block) const {
    Bytes all;
    Bytes attention;
    for (const Op& op : source.ops) {
      all += saved_by(op);
      if (op.kind == OpKind::attention) attention += saved_by(op);
    }
    block.saved = all;
    const bool layer = source.name != "embedding" && source.name != "head";
    if (!layer) return;
    if (plan_.recompute == Recompute::selective) {
      block.saved = all - attention;
      block.working = attention;
    } else if (plan_.recompute == Recompute::full) {
      block.saved = boundary();
      block.working = all;
    }
  }

  const ModelSpec& model_;
  const Plan& plan_;
  Bytes tokens_;
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
  const OpGraph ops = build_ops(model, {.batch = plan.micro_batch,
                                        .seq = plan.sequence,
                                        .dtype = plan.precision.compute,
                                        .flash_attention = plan.flash_attention,
                                        .tensor = plan.tensor,
                                        .sequence_parallel = plan.sequence_parallel &&
                                                             plan.tensor > 1});
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
