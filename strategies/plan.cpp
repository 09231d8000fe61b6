#include "strategies/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "base/check.hpp"
#include "strategies/op_graph.hpp"
#include "strategies/shard.hpp"

namespace strategies {

namespace {

using base::MapReader;
using base::Range;

constexpr int degree_max = 1'000'000;

constexpr std::array<std::pair<std::string_view, ScheduleKind>, 3> schedule_names{{
    {"gpipe", ScheduleKind::gpipe},
    {"1f1b", ScheduleKind::one_f_one_b},
    {"interleaved", ScheduleKind::interleaved},
}};
constexpr std::array<std::pair<std::string_view, Recompute>, 3> recompute_names{{
    {"none", Recompute::none},
    {"selective", Recompute::selective},
    {"full", Recompute::full},
}};

void read_precision(MapReader reader, Precision& precision) {
  reader.read_choice("compute", precision.compute, base::dtype_names);
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
    if (model_.mixture) {
      divides("tensor_parallel", "expert width", model_.mixture->expert_ffn, tp);
      divides("tensor_parallel", "shared expert width", model_.mixture->shared_ffn, tp);
    }
    if (plan_.sequence_parallel) divides("tensor_parallel", "sequence", plan_.sequence, tp);
    if (plan_.sequence_parallel && tp == 1)
      problems.push_back({origins_.at("plan.sequence_parallel"),
                          "sequence_parallel changes nothing when tensor_parallel is 1", "",
                          base::Severity::warning});
  }

  void pipeline() {
    const std::int64_t stages = static_cast<std::int64_t>(plan_.pipeline) * plan_.virtual_stages;
    const int units = model_.layer_count() + (plan_.account_for_embedding ? 1 : 0) +
                      (plan_.account_for_loss ? 1 : 0);
    if (units % stages != 0)
      error("pipeline_parallel",
            fmt::format("{} layers cannot be divided by {} pipeline stages{}", units, stages,
                        plan_.virtual_stages > 1 ? fmt::format(" ({} x {} virtual)", plan_.pipeline,
                                                               plan_.virtual_stages)
                                                 : ""),
            (model_.layer_count() + 2) % stages == 0
                ? "set account_for_embedding and account_for_loss to count both as layers"
                : "");
    const bool interleaved = plan_.schedule == ScheduleKind::interleaved;
    if (plan_.virtual_stages > 1 && !interleaved)
      error("virtual_stages",
            fmt::format("virtual_stages is {}, but the schedule is '{}'", plan_.virtual_stages,
                        name_of_schedule()),
            "use schedule: interleaved");
    if (interleaved && plan_.virtual_stages < 2)
      error("schedule", "schedule 'interleaved' needs virtual_stages of at least 2");
    if (interleaved && plan_.pipeline < 2)
      error("schedule", "schedule 'interleaved' needs pipeline_parallel of at least 2");
  }

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
    else if (plan_.schedule == ScheduleKind::interleaved &&
             plan_.micro_batches() % plan_.pipeline != 0)
      error("global_batch",
            fmt::format("{} micro-batches cannot be divided by pipeline_parallel {}, as the "
                        "interleaved schedule needs",
                        plan_.micro_batches(), plan_.pipeline));
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
    if (model_.position == Position::learned && plan_.sequence > model_.positions)
      error("sequence", fmt::format("sequence {} is longer than the {} learned positions",
                                    plan_.sequence, model_.positions));
  }

 private:
  std::string_view name_of_schedule() const {
    for (const auto& [name, kind] : schedule_names)
      if (kind == plan_.schedule) return name;
    return "?";
  }

  const Plan& plan_;
  const ModelSpec& model_;
  const base::Origins& origins_;
};

}  // namespace

RankGrid Plan::grid() const {
  return RankGrid({tensor, 1, data / data_replicate, data_replicate, pipeline}, order);
}

Plan read_plan(MapReader& reader) {
  Plan plan;
  const Range<int> degree{1, degree_max};
  reader.read("tensor_parallel", plan.tensor, degree);
  reader.read("pipeline_parallel", plan.pipeline, degree);
  reader.read("data_parallel", plan.data, degree);
  reader.read("data_replicate", plan.data_replicate, degree);
  reader.read("zero", plan.zero, {0, 3});
  reader.read("sequence_parallel", plan.sequence_parallel);
  reader.read_choice("schedule", plan.schedule, schedule_names);
  reader.read("virtual_stages", plan.virtual_stages, degree);
  reader.read("micro_batch", plan.micro_batch, degree);
  reader.require("global_batch", plan.global_batch,
                 Range<std::int64_t>{1, std::numeric_limits<int>::max()});
  reader.require("sequence", plan.sequence, Range<std::int64_t>{1, 100'000'000});
  reader.read_choice("recompute", plan.recompute, recompute_names);
  reader.read("flash_attention", plan.flash_attention);
  reader.read("attention_kernels", plan.attention_kernels);
  if (auto precision = reader.map("precision")) read_precision(*precision, plan.precision);
  if (reader.read("bucket", plan.bucket) && plan.bucket.count() < 1)
    reader.error("bucket", "'bucket' must be at least 1 B");
  plan.overlap.point_to_point = plan.schedule == ScheduleKind::interleaved;
  if (auto overlap = reader.map("overlap")) {
    overlap->read("gradient_reduce", plan.overlap.gradient_reduce);
    overlap->read("parameter_gather", plan.overlap.parameter_gather);
    overlap->read("point_to_point", plan.overlap.point_to_point);
    overlap->finish();
  }
  reader.read("operator_dispatch", plan.operator_dispatch);
  std::string order;
  if (reader.read("rank_order", order)) {
    if (auto parsed = parse_rank_order(order, reader.where("rank_order")))
      plan.order = *parsed;
    else
      reader.error("rank_order", parsed.error()[0].message, parsed.error()[0].hint);
  }
  reader.read("account_for_embedding", plan.account_for_embedding);
  reader.read("account_for_loss", plan.account_for_loss);
  reader.finish();
  return plan;
}

base::Diagnostics check_plan(Plan& plan, const ModelSpec& model, int gpus,
                             const base::Origins& origins) {
  Checker checker(plan, model, origins);
  const std::int64_t inner = static_cast<std::int64_t>(plan.tensor) * plan.pipeline;
  if (inner > gpus) {
    checker.error(plan.tensor > gpus ? "tensor_parallel" : "pipeline_parallel",
                  fmt::format("tensor_parallel {} x pipeline_parallel {} = {} ranks, but the "
                              "cluster has {} GPUs",
                              plan.tensor, plan.pipeline, inner, gpus));
    return std::move(checker.problems);
  }
  if (plan.data == 0) {
    if (gpus % inner != 0)
      checker.error("tensor_parallel",
                    fmt::format("{} GPUs cannot be divided by tensor_parallel {} x "
                                "pipeline_parallel {}",
                                gpus, plan.tensor, plan.pipeline),
                    "or set data_parallel to use fewer GPUs");
    plan.data = static_cast<int>(gpus / inner);
  }
  if (plan.bucket.count() == 0) {
    // Megatron-Core: 40 M elements, and no less than 1 M for each data-parallel rank.
    const double elements = std::max(40e6, 1e6 * plan.data);
    plan.bucket = base::Bytes::from_double(elements * base::bytes_of(plan.precision.gradients));
  }
  const std::int64_t ranks = inner * plan.data;
  if (ranks > gpus)
    checker.error("data_parallel",
                  fmt::format("tensor_parallel {} x pipeline_parallel {} x data_parallel {} = {} "
                              "ranks, but the cluster has {} GPUs",
                              plan.tensor, plan.pipeline, plan.data, ranks, gpus));
  checker.tensor();
  checker.pipeline();
  checker.data();
  checker.batch();
  checker.size();
  checker.memory();
  return std::move(checker.problems);
}

std::vector<std::vector<Chunk>> cut_layers(const Plan& plan, const ModelSpec& model) {
  const int before = plan.account_for_embedding ? 1 : 0;
  const int layers = model.layer_count();
  const int virtual_stages = plan.pipeline * plan.virtual_stages;
  const int units = layers + before + (plan.account_for_loss ? 1 : 0);
  CHECK_INVARIANT(units % virtual_stages == 0);
  const int length = units / virtual_stages;
  std::vector<std::vector<Chunk>> cut(static_cast<std::size_t>(plan.pipeline));
  for (int v = 0; v < virtual_stages; ++v) {
    const auto clamp = [&](int unit) { return std::min(std::max(unit - before, 0), layers); };
    cut[static_cast<std::size_t>(v % plan.pipeline)].push_back(
        {clamp(v * length), clamp((v + 1) * length), v == 0, v == virtual_stages - 1});
  }
  return cut;
}

std::string describe(const Plan& plan) {
  std::string text =
      fmt::format("tp {}{}, pp {}", plan.tensor,
                  plan.sequence_parallel && plan.tensor > 1 ? " + sp" : "", plan.pipeline);
  if (plan.virtual_stages > 1) text += fmt::format(" x {} virtual", plan.virtual_stages);
  text += fmt::format(", dp {}", plan.data);
  if (plan.data > 1)
    text += plan.zero == 0   ? " (DDP)"
            : plan.zero == 3 ? (plan.data_replicate > 1
                                    ? fmt::format(" (HSDP, {} replicas)", plan.data_replicate)
                                    : std::string(" (FSDP)"))
                             : fmt::format(" (ZeRO-{})", plan.zero);
  if (plan.pipeline > 1)
    for (const auto& [name, kind] : schedule_names)
      if (kind == plan.schedule) text += fmt::format(", {}", name);
  text += fmt::format(", {} micro-batch{} of {}", plan.micro_batches(),
                      plan.micro_batches() == 1 ? "" : "es", plan.micro_batch);
  if (plan.recompute != Recompute::none)
    text += plan.recompute == Recompute::full ? ", full recompute" : ", selective recompute";
  return text;
}

}  // namespace strategies
