#include "strategies/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/check.hpp"
#include "base/name_table.hpp"
#include "strategies/op_graph.hpp"
#include "strategies/pipeline_plan.hpp"
#include "strategies/plan_names.hpp"
#include "strategies/shard.hpp"

namespace strategies {

namespace {

using base::MapReader;
using base::Range;

/// A number format of matrix products by its usual name: that of its elements, and how they are
/// scaled.
struct ComputeFormat {
  base::DType type = base::DType::bf16;
  Scaling scaling = Scaling::delayed;
};
constexpr std::array<std::pair<std::string_view, ComputeFormat>, 8> compute_names{{
    {"fp32", {base::DType::fp32, Scaling::delayed}},
    {"tf32", {base::DType::tf32, Scaling::delayed}},
    {"fp16", {base::DType::fp16, Scaling::delayed}},
    {"bf16", {base::DType::bf16, Scaling::delayed}},
    {"fp8", {base::DType::fp8, Scaling::delayed}},
    {"mxfp8", {base::DType::fp8, Scaling::mx}},
    {"fp4", {base::DType::fp4, Scaling::nv}},
    {"nvfp4", {base::DType::fp4, Scaling::nv}},
}};

void read_precision(MapReader reader, Precision& precision) {
  ComputeFormat format{precision.compute, precision.scaling};
  if (reader.read_choice("compute", format, compute_names)) {
    precision.compute = format.type;
    precision.scaling = format.scaling;
  }
  reader.read_choice("scaling", precision.scaling, scaling_names);
  reader.read_choice("parameters", precision.parameters, base::dtype_names);
  reader.read_choice("gradients", precision.gradients, base::dtype_names);
  reader.read_choice("master", precision.master, base::dtype_names);
  reader.read_choice("moments", precision.moments, base::dtype_names);
  reader.finish();
}

/// Collects the mistakes of one plan.
class Checker {
 public:
  Checker(const Plan& plan, const ModelSpec& model, const base::Origins& origins)
      : plan_(plan), model_(model), origins_(origins) {}

  base::Diagnostics problems;

  void error(std::string_view key, std::string message, std::string hint = {}) {
    problems.push_back(
        {origins_.at(fmt::format("plan.{}", key)), std::move(message), std::move(hint)});
  }

  void divides(std::string_view key, std::string_view what, std::int64_t value, int degree) {
    if (value % degree != 0)
      error(key, fmt::format("{} {} cannot be divided by {} {}", what, value, key, degree));
  }

  void tensor() {
    const int tp = plan_.tensor;
    divides("tensor_parallel", "attention heads", model_.heads, tp);
    if (!model_.latent && model_.kv_heads % tp != 0 && tp % model_.kv_heads != 0)
      error("tensor_parallel",
            fmt::format("key-value heads {} neither divide tensor_parallel {} nor are divided by "
                        "it",
                        model_.kv_heads, tp));
    bool dense = false;
    for (const LayerKind& layer : model_.layers) dense = dense || !layer.mixture;
    if (dense) divides("tensor_parallel", "MLP width", model_.ffn, tp);
    if (model_.mixture)
      divides("tensor_parallel", "shared expert width", model_.mixture->shared_ffn, tp);
    if (plan_.sequence_parallel)
      divides("tensor_parallel", plan_.context.degree > 1 ? "tokens of a context rank" : "sequence",
              plan_.sequence / plan_.context.degree, tp);
    if (plan_.overlap.tensor != TensorOverlap::none && !(plan_.sequence_parallel && tp > 1))
      error("overlap.tensor", "overlap.tensor needs sequence_parallel and tensor_parallel above 1",
            "only gathered and scattered tokens travel in parts");
    if (plan_.sequence_parallel && tp == 1)
      problems.push_back({origins_.at("plan.sequence_parallel"),
                          "sequence_parallel changes nothing when tensor_parallel is 1", "",
                          base::Severity::warning});
  }

  void context() {
    const ContextParallel& context = plan_.context;
    const std::int64_t heads = model_.heads / plan_.tensor;
    // Zig-zag placement cuts a sequence into two blocks a rank.
    const bool blocks = context.ring() > 1 && context.attention != ContextAttention::ring;
    divides("context_parallel", blocks ? "half of the sequence" : "sequence",
            blocks && plan_.sequence % 2 == 0 ? plan_.sequence / 2 : plan_.sequence,
            context.degree);
    if (heads % context.ulysses != 0)
      error("context_parallel",
            fmt::format("{} attention heads of a tensor rank cannot be divided by {} ranks that "
                        "exchange heads",
                        heads, context.ulysses));
    if (context.degree % context.ulysses != 0)
      error("context.ulysses", fmt::format("context_parallel {} cannot be divided by ulysses {}",
                                           context.degree, context.ulysses));
    const bool windows = std::any_of(model_.layers.begin(), model_.layers.end(),
                                     [](const LayerKind& layer) { return layer.window > 0; });
    if (windows && context.ring() > 1)
      error("context_parallel", "layers with sliding windows cannot be passed round or cut zig-zag",
            "set context: {attention: ulysses}");
  }

  void experts() {
    const ExpertParallel& expert = plan_.expert;
    if (plan_.overlap.expert && expert.degree == 1)
      error("overlap.expert", "overlap.expert needs expert_parallel above 1",
            "without it no tokens travel");
    if (!model_.mixture) {
      if (expert.degree > 1)
        error("expert_parallel",
              fmt::format("expert_parallel is {}, but the model has no experts", expert.degree));
      return;
    }
    const int tensor = expert.tensor_or(plan_.tensor);
    const bool own_tokens = plan_.sequence_parallel && plan_.tensor > 1;
    divides("expert_parallel", "experts", model_.mixture->experts, expert.degree);
    divides(expert.tensor > 0 ? "expert_tensor_parallel" : "tensor_parallel", "expert width",
            model_.mixture->expert_ffn, tensor);
    if (!own_tokens && tensor != 1 && tensor != plan_.tensor)
      error("expert_tensor_parallel",
            fmt::format("expert_tensor_parallel {} is neither 1 nor tensor_parallel {}", tensor,
                        plan_.tensor),
            "other degrees need sequence_parallel");
    if (expert.own_axis && tensor != 1 && tensor != plan_.tensor)
      error("expert_tensor_parallel",
            "experts that are an axis of their own are divided as the rest or not at all");
    if (!expert.own_axis && !own_tokens && plan_.tensor > 1 && expert.degree > 1 && tensor == 1)
      error("expert_parallel",
            "with tensor_parallel the experts can be folded over ranks only with "
            "sequence_parallel or expert_tensor_parallel",
            "set sequence_parallel: true, or expert: {own_axis: true}");
    if (expert.inner() > 1 && expert.degree % expert.inner() != 0)
      error("expert.ranks_per_node", fmt::format("expert_parallel {} cannot be divided by {} ranks "
                                                 "of a node",
                                                 expert.degree, expert.inner()));
  }

  void grid() {
    if (base::has_errors(problems)) return;
    const std::string misfit = RankGrid::misfit(plan_.extents(), plan_.order, plan_.views());
    if (!misfit.empty())
      error(plan_.expert.degree > 1 ? "expert_parallel" : "expert_tensor_parallel", misfit);
  }

  void pipeline() { check_stages(plan_, model_, reporter()); }

  void batch() {
    const std::int64_t unit = static_cast<std::int64_t>(plan_.data) * plan_.micro_batch;
    if (plan_.global_batch % unit != 0) {
      error("global_batch",
            fmt::format("global_batch {} cannot be divided by data_parallel {} x micro_batch {}",
                        plan_.global_batch, plan_.data, plan_.micro_batch));
      return;
    }
    if (plan_.global_batch / unit > degree_max)
      error("global_batch", fmt::format("{} micro-batches per rank are more than {}",
                                        plan_.global_batch / unit, degree_max));
    else if (!base::has_errors(problems))
      check_micro_batches(plan_, reporter());
  }

  void size() {
    if (!countable(model_, {.batch = plan_.micro_batch,
                            .seq = plan_.sequence,
                            .dtype = plan_.precision.compute,
                            .flash_attention = plan_.flash_attention,
                            .tensor = plan_.tensor,
                            .sequence_parallel = plan_.sequence_parallel}))
      error("micro_batch",
            fmt::format("{} sequences of {} tokens are more than can be counted", plan_.micro_batch,
                        plan_.sequence),
            "lower micro_batch or sequence");
  }

  /// What all micro-batches keep for their backward, at worst at the same time and on one rank;
  /// half of 2^63 is left for what does not grow with them.
  void memory() {
    if (base::has_errors(problems)) return;
    const ShardedGraph graph = shard(model_, plan_);
    const auto saved = [&graph](int block) {
      return graph.blocks[static_cast<std::size_t>(block)].saved.as_double();
    };
    double kept = saved(graph.embedding_block) + saved(graph.head_block);
    for (const int block : graph.layer_block) kept += saved(block);
    if (kept * plan_.micro_batches() >= 0x1p62)
      error("global_batch",
            fmt::format("{} micro-batches keep more bytes than can be counted",
                        plan_.micro_batches()),
            "lower global_batch, micro_batch or sequence");
  }

  void data() {
    if (plan_.data % plan_.data_replicate != 0)
      error("data_replicate", fmt::format("data_parallel {} cannot be divided by data_replicate {}",
                                          plan_.data, plan_.data_replicate));
    if (plan_.data_replicate > 1 && plan_.zero == 0)
      error("data_replicate", "data_replicate needs zero of at least 1: nothing is sharded",
            "HSDP is zero: 3 with data_replicate");
    if (plan_.zero == 3)
      for (FsdpMistake& mistake : fsdp_mistakes(plan_, model_.layer_count()))
        error(mistake.key, std::move(mistake.message), std::move(mistake.hint));
    if (model_.position == Position::learned && plan_.sequence > model_.positions)
      error("sequence", fmt::format("sequence {} is longer than the {} learned positions",
                                    plan_.sequence, model_.positions));
  }

 private:
  ReportMistake reporter() {
    return [this](std::string_view key, std::string message, std::string hint) {
      error(key, std::move(message), std::move(hint));
    };
  }

  const Plan& plan_;
  const ModelSpec& model_;
  const base::Origins& origins_;
};

}  // namespace

std::vector<std::string> read_operators(base::MapReader& reader) {
  std::vector<base::PlacedText> names;
  reader.read("recompute_operators", names);
  std::vector<std::string_view> words(matrices_apart.begin(), matrices_apart.end());
  for (const auto& [word, kind] : op_kind_names) words.push_back(word);
  std::vector<std::string> known;
  for (const base::PlacedText& name : names) {
    if (std::find(words.begin(), words.end(), name.text) != words.end())
      known.push_back(name.text);
    else
      reader.error("recompute_operators", fmt::format("unknown operator '{}'", name.text),
                   base::suggest(name.text, words));
  }
  return known;
}

RankGrid::Extents Plan::extents() const {
  return {.tensor = tensor,
          .context = context.degree,
          .data_shard = data_shard(),
          .data_replicate = data / data_shard(),
          .pipeline = pipeline,
          .expert = expert.own_axis ? expert.degree : 1};
}

RankGrid::Views Plan::views() const {
  return {.ulysses = context.ulysses,
          .expert = expert.degree,
          .expert_tensor = expert.tensor_or(tensor),
          .expert_inner = expert.inner()};
}

Plan read_plan(MapReader& reader) {
  Plan plan = read_plan_defaults(reader);
  reader.require("global_batch", plan.global_batch,
                 Range<std::int64_t>{1, std::numeric_limits<int>::max()});
  reader.require("sequence", plan.sequence, Range<std::int64_t>{1, 100'000'000});
  reader.finish();
  return plan;
}

Plan read_plan_defaults(MapReader& reader) {
  Plan plan;
  const Range<int> degree{1, degree_max};
  reader.read("tensor_parallel", plan.tensor, degree);
  read_pipeline(reader, plan);
  reader.read("data_parallel", plan.data, degree);
  reader.read("data_replicate", plan.data_replicate, degree);
  reader.read("zero", plan.zero, {0, 3});
  if (reader.read_choice("zero_split", plan.owns_tensors, zero_split_names) && plan.owns_tensors &&
      plan.zero > 1)
    reader.error("zero_split", "tensors have one owner each with zero: 1 only");
  reader.read("sequence_parallel", plan.sequence_parallel);
  reader.read_choice("messages", plan.scatters_messages, message_names);
  reader.read("fused_projections", plan.fused_projections);
  reader.read_choice("tensor_backward", plan.reduce_per_linear, tensor_backward_names);
  reader.read_choice("loss", plan.gather_logits, loss_names);
  reader.read_choice("loss_kernels", plan.loss_kernels, loss_kernel_names);
  reader.read("context_parallel", plan.context.degree, degree);
  if (auto context = reader.map("context")) read_context_parallel(*context, plan.context);
  reader.read("expert_parallel", plan.expert.degree, degree);
  reader.read("expert_tensor_parallel", plan.expert.tensor, degree);
  if (auto expert = reader.map("expert")) read_expert_parallel(*expert, plan.expert);
  reader.read("micro_batch", plan.micro_batch, degree);
  reader.read_choice("recompute", plan.recompute, recompute_names);
  if (reader.read("recompute_every", plan.recompute_every, degree) &&
      plan.recompute != Recompute::full)
    reader.error("recompute_every", "every k-th layer is for recompute: full");
  if (reader.has("recompute_operators") != (plan.recompute == Recompute::operators))
    reader.error("recompute_operators",
                 "'recompute: operators' and 'recompute_operators' go together",
                 "for example recompute_operators: [norm, activation]");
  plan.recompute_operators = read_operators(reader);
  reader.read("flash_attention", plan.flash_attention);
  reader.read("attention_kernels", plan.attention_kernels);
  if (auto precision = reader.map("precision")) read_precision(*precision, plan.precision);
  if (auto optimizer = reader.map("optimizer")) read_optimizer(*optimizer, plan.optimizer);
  reader.read("clip_gradients", plan.clip_gradients);
  if (auto offload = reader.map("offload")) read_offload(*offload, plan, plan.offload);
  if (auto overlap = reader.map("overlap")) {
    overlap->read("gradient_reduce", plan.overlap.gradient_reduce);
    overlap->read("parameter_gather", plan.overlap.parameter_gather);
    if (bool hidden = false; overlap->read("point_to_point", hidden))
      plan.overlap.point_to_point = hidden;
    overlap->read_choice("tensor", plan.overlap.tensor, tensor_overlap_names);
    overlap->read("expert", plan.overlap.expert);
    overlap->finish();
  }
  read_data_parallel(reader, plan);
  if (auto execution = reader.map("execution")) read_execution(*execution, plan.execution);
  std::string order;
  if (reader.read("rank_order", order)) {
    if (auto parsed = parse_rank_order(order, reader.where("rank_order")))
      plan.order = *parsed;
    else
      reader.error("rank_order", parsed.error()[0].message, parsed.error()[0].hint);
  }
  return plan;
}

base::Diagnostics check_plan(Plan& plan, const ModelSpec& model, int gpus,
                             const base::Origins& origins, std::string_view machine) {
  Checker checker(plan, model, origins);
  // Bounded step by step: each degree is below 2^20, but not their product.
  double product = static_cast<double>(plan.tensor) * plan.pipeline * plan.context.degree;
  std::string factors =
      fmt::format("tensor_parallel {} x pipeline_parallel {}", plan.tensor, plan.pipeline);
  if (plan.context.degree > 1)
    factors += fmt::format(" x context_parallel {}", plan.context.degree);
  if (plan.expert.own_axis) {
    product *= plan.expert.degree;
    factors += fmt::format(" x expert_parallel {}", plan.expert.degree);
  }
  if (product > gpus) {
    checker.error(
        plan.tensor > gpus        ? "tensor_parallel"
        : plan.pipeline > gpus    ? "pipeline_parallel"
        : plan.context.degree > 1 ? "context_parallel"
                                  : "pipeline_parallel",
        fmt::format("{} = {:.0f} ranks, but {} has {} GPUs", factors, product, machine, gpus));
    return std::move(checker.problems);
  }
  const auto inner = static_cast<std::int64_t>(product);
  if (plan.data == 0) {
    if (gpus % inner != 0)
      checker.error("tensor_parallel",
                    fmt::format("{} GPUs cannot be divided by {}", gpus, factors),
                    "or set data_parallel to use fewer GPUs");
    plan.data = static_cast<int>(gpus / inner);
  }
  choose_buckets(plan);
  const std::int64_t ranks = inner * plan.data;
  if (ranks > gpus)
    checker.error("data_parallel",
                  fmt::format("{} x data_parallel {} = {} ranks, but {} has {} GPUs", factors,
                              plan.data, ranks, machine, gpus));
  checker.tensor();
  checker.context();
  checker.experts();
  checker.pipeline();
  checker.data();
  checker.batch();
  checker.grid();
  checker.size();
  checker.memory();
  return std::move(checker.problems);
}

std::string describe(const Plan& plan) {
  std::string text =
      fmt::format("tp {}{}, pp {}", plan.tensor,
                  plan.sequence_parallel && plan.tensor > 1 ? " + sp" : "", plan.pipeline);
  const PipelineShape shape = plan.shape();
  if (shape.depth() > shape.stages)
    text += fmt::format(" x {} virtual", shape.depth() / shape.stages);
  if (plan.context.degree > 1) {
    text += fmt::format(", cp {}", plan.context.degree);
    if (plan.context.ring() > 1 && plan.context.ulysses > 1)
      text += fmt::format(" ({} x ulysses {})", plan.context.ring(), plan.context.ulysses);
    text += fmt::format(" {}", base::name_in(context_attention_names, plan.context.attention));
  }
  if (plan.expert.degree > 1) {
    text += fmt::format(", ep {}", plan.expert.degree);
    if (plan.expert.tensor > 0) text += fmt::format(" x etp {}", plan.expert.tensor);
  }
  text += fmt::format(", dp {}", plan.data);
  if (plan.data > 1) text += fmt::format(" ({})", describe_data_parallel(plan));
  if (plan.pipeline > 1) text += fmt::format(", {}", name_of(plan.schedule));
  text += fmt::format(", {} micro-batch{} of {}", plan.micro_batches(),
                      plan.micro_batches() == 1 ? "" : "es", plan.micro_batch);
  if (plan.recompute != Recompute::none)
    text += fmt::format(", {} recompute", base::name_in(recompute_names, plan.recompute));
  if (plan.recompute_every > 1) text += fmt::format(" of every {}. layer", plan.recompute_every);
  return text;
}

}  // namespace strategies
