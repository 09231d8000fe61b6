#include "strategies/launch/plan_fields.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/check.hpp"
#include "base/name_table.hpp"
#include "strategies/plan_names.hpp"

namespace strategies::launch {

namespace {

class Fields {
 public:
  std::vector<PlanField> all;

  void add(std::string_view key, bool value) { add(key, std::string(value ? "true" : "false")); }
  void add(std::string_view key, std::int64_t value) { add(key, fmt::format("{}", value)); }
  void add(std::string_view key, int value) { add(key, static_cast<std::int64_t>(value)); }
  void add(std::string_view key, base::Bytes value) {
    add(key, fmt::format("{} B", value.count()));
  }
  void add(std::string_view key, base::DType value) { add(key, std::string(base::name_of(value))); }
  void add(std::string_view key, const std::vector<int>& value) {
    add(key, fmt::format("[{}]", fmt::join(value, ", ")));
  }
  void add(std::string_view key, std::string value) {
    all.push_back({std::string(key), std::move(value)});
  }
  template <class E, std::size_t N>
  void add(std::string_view key, E value, const NameTable<E, N>& names) {
    add(key, std::string(base::name_in(names, value)));
  }
};

/// "tp-cp-dp-pp": axes of one rank say nothing of the order.
std::string order_of(const Plan& plan, const AxisOrder& order) {
  const RankGrid grid = plan.grid();
  std::vector<std::string> names;
  for (const Axis axis : order) {
    if (grid.extent(axis) == 1) continue;
    const bool data = axis == Axis::data_shard || axis == Axis::data_replicate;
    const bool whole = data && grid.extent(axis) == grid.extent(data_parallel);
    names.push_back(whole ? "dp" : name_of(axis));
    // Shards and then replicas next to each other are what `dp` stands for.
    if (axis == Axis::data_replicate && names.size() > 1 &&
        names[names.size() - 2] == name_of(Axis::data_shard)) {
      names.pop_back();
      names.back() = "dp";
    }
  }
  return fmt::format("{}", fmt::join(names, "-"));
}

void add_pipeline(Fields& fields, const Plan& plan, const ModelSpec& model) {
  fields.add("pipeline_parallel", plan.pipeline);
  if (plan.pipeline == 1) return;
  fields.add("schedule", std::string(name_of(plan.schedule)));
  fields.add("virtual_stages", plan.virtual_stages);
  fields.add("stage_layers", stage_layers(plan, model));
  if (plan.tensor > 1 && !plan.sequence_parallel)
    fields.add("messages", plan.scatters_messages, message_names);
  fields.add("overlap.point_to_point", plan.overlaps_messages());
}

void add_data(Fields& fields, const Plan& plan) {
  fields.add("data_parallel", plan.data);
  if (plan.data > 1 || plan.zero > 0) {
    fields.add("zero", plan.zero);
    fields.add("data_replicate", plan.data_replicate);
  }
  if (plan.zero == 1) fields.add("zero_split", plan.owns_tensors, zero_split_names);
  if (plan.data * plan.context.degree == 1) return;
  if (plan.micro_batches() > 1) fields.add("sync", plan.gradient_sync(), sync_names);
  fields.add("overlap.gradient_reduce", plan.overlap.gradient_reduce);
  if (plan.zero > 0) fields.add("overlap.parameter_gather", plan.overlap.parameter_gather);
  if (plan.zero < 3) {
    fields.add("ddp.buckets", plan.ddp.buckets, bucket_names);
    fields.add("bucket", plan.bucket);
    if (plan.ddp.buckets == BucketPolicy::sequential)
      fields.add("ddp.first_bucket_size", plan.ddp.first_bucket);
    if (plan.zero > 0 && plan.gather_bucket.count() > 0)
      fields.add("gather_bucket", plan.gather_bucket);
    return;
  }
  const Fsdp& fsdp = plan.fsdp;
  fields.add("fsdp.reshard_after_forward", fsdp.ranks_after_forward == 0 ? std::string("true")
                                           : fsdp.ranks_after_forward == 1
                                               ? std::string("false")
                                               : fmt::format("{}", fsdp.ranks_after_forward));
  fields.add("fsdp.layers_per_unit", fsdp.layers_per_unit);
  fields.add("fsdp.prefetch", plan.prefetch());
  fields.add("fsdp.root", fsdp.root, fsdp_root_names);
  fields.add("fsdp.offload", fsdp.offload);
  fields.add("fsdp.gather_dtype", fsdp.gather_dtype.value_or(plan.precision.parameters));
  fields.add("fsdp.reduce_dtype", fsdp.reduce_dtype.value_or(plan.precision.gradients));
}

void add_context(Fields& fields, const Plan& plan) {
  fields.add("context_parallel", plan.context.degree);
  if (plan.context.degree == 1) return;
  fields.add("context.attention", plan.context.attention, context_attention_names);
  fields.add("context.ulysses", plan.context.ulysses);
  fields.add("context.expand_kv", plan.context.expand_kv);
}

void add_experts(Fields& fields, const Plan& plan, const ModelSpec& model) {
  if (!model.mixture) return;
  const ExpertParallel& expert = plan.expert;
  fields.add("expert_parallel", expert.degree);
  fields.add("expert_tensor_parallel", expert.tensor_or(plan.tensor));
  if (expert.degree == 1) return;
  fields.add("expert.own_axis", expert.own_axis);
  fields.add("expert.dispatcher", expert.dispatcher, dispatcher_names);
  if (expert.dispatcher == Dispatcher::node_limited)
    fields.add("expert.nodes_per_token", expert.nodes_per_token);
  fields.add("expert.dispatch", expert.dispatch);
  fields.add("expert.backward_exchange", expert.backward_exchange);
  fields.add("overlap.expert", plan.overlap.expert);
}

void add_tensor(Fields& fields, const Plan& plan) {
  fields.add("tensor_parallel", plan.tensor);
  if (plan.tensor == 1) return;
  fields.add("sequence_parallel", plan.sequence_parallel);
  fields.add("overlap.tensor", plan.overlap.tensor, tensor_overlap_names);
  fields.add("tensor_backward", plan.reduce_per_linear, tensor_backward_names);
  fields.add("loss", plan.gather_logits, loss_names);
}

void add_memory(Fields& fields, const Plan& plan) {
  fields.add("recompute", plan.recompute, recompute_names);
  if (plan.recompute == Recompute::full) fields.add("recompute_every", plan.recompute_every);
  if (plan.recompute == Recompute::operators) {
    std::vector<std::string> operators = plan.recompute_operators;
    std::sort(operators.begin(), operators.end());
    fields.add("recompute_operators", fmt::format("[{}]", fmt::join(operators, ", ")));
  }
  if (plan.zero < 3) fields.add("offload.optimizer", plan.offload.optimizer);
}

void add_numbers(Fields& fields, const Plan& plan) {
  const Precision& precision = plan.precision;
  fields.add("precision.compute", precision.compute);
  if (base::bits_of(precision.compute) <= 8)
    fields.add("precision.scaling", precision.scaling, scaling_names);
  fields.add("precision.parameters", precision.parameters);
  fields.add("precision.gradients", precision.gradients);
  fields.add("precision.master", precision.master);
  fields.add("precision.moments", precision.moments);
}

void add_optimizer(Fields& fields, const Plan& plan) {
  const Optimizer& optimizer = plan.optimizer;
  const OptimizerKind kind = optimizer.kind;
  fields.add("optimizer.kind", std::string(name_of(kind)));
  if (kind == OptimizerKind::adam || kind == OptimizerKind::adamw || kind == OptimizerKind::sgd)
    fields.add("optimizer.launch", optimizer.launch, optimizer_launch_names);
  if (kind == OptimizerKind::sgd) fields.add("optimizer.momentum", optimizer.momentum);
  if (kind == OptimizerKind::adam8bit || kind == OptimizerKind::shampoo)
    fields.add("optimizer.block", optimizer.block_or_usual());
  if (kind == OptimizerKind::muon)
    fields.add("optimizer.newton_schulz_steps", optimizer.newton_schulz_steps);
  if (kind == OptimizerKind::shampoo) fields.add("optimizer.root_every", optimizer.root_every);
  if (base::bits_of(plan.precision.gradients) <= 16)
    fields.add("optimizer.gradients", optimizer.copies_gradients, gradient_copy_names);
  fields.add("clip_gradients", plan.clip_gradients);
}

}  // namespace

std::vector<int> stage_layers(const Plan& plan, const ModelSpec& model) {
  const PipelineShape shape = plan.shape();
  std::vector<int> layers(static_cast<std::size_t>(shape.depth()));
  const std::vector<std::vector<Chunk>> stages = cut_layers(plan, model);
  for (std::size_t stage = 0; stage < stages.size(); ++stage)
    for (std::size_t chunk = 0; chunk < stages[stage].size(); ++chunk) {
      const Chunk& one = stages[stage][chunk];
      const Place place{static_cast<int>(stage), static_cast<int>(chunk)};
      layers[static_cast<std::size_t>(shape.virtual_stage(place))] =
          one.end_layer - one.first_layer;
    }
  return layers;
}

bool has_order(const Plan& plan, std::string_view rank_order) {
  const auto order = parse_rank_order(rank_order, {});
  CHECK_INVARIANT(order.has_value());
  return order_of(plan, *order) == order_of(plan, plan.order);
}

std::vector<PlanField> plan_fields(const Plan& plan, const ModelSpec& model) {
  Fields fields;
  add_tensor(fields, plan);
  add_pipeline(fields, plan, model);
  add_data(fields, plan);
  add_context(fields, plan);
  add_experts(fields, plan, model);
  fields.add("rank_order", order_of(plan, plan.order));
  fields.add("micro_batch", plan.micro_batch);
  fields.add("global_batch", plan.global_batch);
  fields.add("sequence", plan.sequence);
  fields.add("fused_projections", plan.fused_projections);
  fields.add("loss_kernels", plan.loss_kernels, loss_kernel_names);
  fields.add("flash_attention", plan.flash_attention);
  add_memory(fields, plan);
  add_numbers(fields, plan);
  add_optimizer(fields, plan);
  if (plan.accumulates())
    fields.add("execution.gradient_accumulation", plan.execution.fused_accumulation, fusion_names);
  if (model.gated)
    fields.add("execution.gated_activation", plan.execution.fused_gate, fusion_names);
  return std::move(fields.all);
}

}  // namespace strategies::launch
