#include <fmt/ranges.h>

#include <string>
#include <utility>
#include <vector>

#include "base/quoted.hpp"
#include "strategies/launch/draft.hpp"
#include "strategies/launch/literal.hpp"

/// DeepSpeed: its JSON. JSON has no comments; what is left out is told beside it only.
namespace strategies::launch {

namespace {

/// A JSON object in the order in which it is written.
class Json {
 public:
  template <class T>
  void set(std::string_view key, const T& value) {
    raw(key, literal(value));
  }
  void set(std::string_view key, const Json& value) { raw(key, value.line()); }

  /// A line for each entry.
  std::string text() const { return fmt::format("{{\n  {}\n}}\n", fmt::join(words(), ",\n  ")); }

 private:
  std::string line() const { return fmt::format("{{{}}}", fmt::join(words(), ", ")); }
  std::vector<std::string> words() const {
    std::vector<std::string> all;
    for (const auto& [key, value] : entries_)
      all.push_back(fmt::format("{}: {}", base::quoted(key), value));
    return all;
  }
  void raw(std::string_view key, std::string value) {
    entries_.emplace_back(key, std::move(value));
  }
  std::vector<std::pair<std::string, std::string>> entries_;
};

void add_batch(Draft& draft, Json& out) {
  const Plan& plan = draft.plan();
  out.set("train_batch_size", plan.global_batch);
  out.set("train_micro_batch_size_per_gpu", plan.micro_batch);
  out.set("gradient_accumulation_steps", plan.micro_batches());
  draft.expressed({"micro_batch", "global_batch"});
  draft.cannot("sequence", "the length of sequences is the data's");
}

void add_numbers(Draft& draft, Json& out) {
  const Precision& precision = draft.plan().precision;
  const bool half = precision.compute == base::DType::fp16;
  const bool full = precision.compute == base::DType::fp32;
  draft.cannot("precision.compute", "the JSON has fp16, bf16, or neither for fp32");
  draft.cannot("precision.scaling", "see precision.compute");
  if (half || full || precision.compute == base::DType::bf16)
    draft.expressed({"precision.compute"});
  if (!full) {
    Json enabled;
    enabled.set("enabled", true);
    const bool narrow = !half && precision.master == base::DType::bf16;
    if (narrow) enabled.set("bf16_master_weights_and_grads", true);
    if (narrow && precision.moments == base::DType::bf16)
      enabled.set("bf16_optimizer_states", true);
    out.set(half ? "fp16" : "bf16", enabled);
    if (narrow && draft.plan().zero > 0) {
      draft.expressed({"precision.master"});
      if (precision.moments == base::DType::bf16 || draft.plan().offload.optimizer)
        draft.expressed({"precision.moments"});
      if (precision.gradients == base::DType::bf16) draft.expressed({"precision.gradients"});
    }
  }
  draft.always("precision.parameters", half ? "fp16" : full ? "fp32" : "bf16");
  draft.always("precision.master", "fp32");
  draft.always("precision.moments", "fp32");
  const base::DType gradients = precision.gradients;
  draft.cannot("precision.gradients", "data_types.grad_accum_dtype has fp32, fp16 and bf16");
  if (base::bits_of(gradients) >= 16 && gradients != base::DType::tf32) {
    Json types;
    types.set("grad_accum_dtype", base::name_of(gradients));
    out.set("data_types", types);
    draft.expressed({"precision.gradients"});
  }
}

void add_buckets(Draft& draft, Json& zero) {
  const Plan& plan = draft.plan();
  const auto elements = [](base::Bytes bytes, base::DType type) {
    return static_cast<std::int64_t>(bytes.as_double() / base::bytes_of(type));
  };
  draft.always("ddp.buckets", "deepspeed");
  draft.cannot("ddp.first_bucket_size", "all buckets of DeepSpeed have one size");
  if (plan.zero < 3) {
    zero.set("reduce_bucket_size", elements(plan.bucket, plan.precision.gradients));
    draft.expressed({"bucket"});
    if (plan.gather_bucket.count() > 0) {
      zero.set("allgather_bucket_size", elements(plan.gather_bucket, plan.precision.parameters));
      draft.expressed({"gather_bucket"});
    }
  }
}

void add_zero(Draft& draft, Json& out) {
  const Plan& plan = draft.plan();
  Json zero;
  zero.set("stage", plan.zero);
  zero.set("overlap_comm", plan.overlap.gradient_reduce);
  add_buckets(draft, zero);
  draft.expressed({"data_parallel", "zero", "overlap.gradient_reduce"});
  draft.always("zero_split", "elements");
  draft.always("data_replicate", "1");
  draft.always("sync", plan.zero >= 2 ? "every" : "last");
  Json host;
  host.set("device", "cpu");
  const bool all = plan.zero == 3 && plan.fsdp.offload;
  if (plan.offload.optimizer || all) zero.set("offload_optimizer", host);
  if (all) zero.set("offload_param", host);
  draft.expressed({"offload.optimizer", "fsdp.offload"});
  draft.cannot("overlap.parameter_gather", plan.zero < 3
                                               ? "ZeRO-1 and -2 gather behind the optimizer"
                                               : "ZeRO-3 always gathers ahead");
  if (plan.overlap.parameter_gather == (plan.zero == 3))
    draft.expressed({"overlap.parameter_gather"});
  draft.cannot("fsdp.reshard_after_forward",
               "zero_hpz_partition_size is another thing: copies "
               "inside a node");
  draft.always("fsdp.reshard_after_forward", "true");
  draft.cannot("fsdp.prefetch", "stage3_prefetch_bucket_size counts elements, not layers");
  draft.cannot("fsdp.layers_per_unit", "DeepSpeed gathers module by module");
  draft.cannot("fsdp.root", "stage3_param_persistence_threshold decides by size");
  draft.always("fsdp.gather_dtype", base::name_of(plan.precision.parameters));
  draft.always("fsdp.reduce_dtype", base::name_of(plan.precision.gradients));
  out.set("zero_optimization", zero);
}

void add_code_only(Draft& draft) {
  const Plan& plan = draft.plan();
  draft.cannot("pipeline_parallel", "in code: PipelineModule(num_stages=...)");
  if (plan.pipeline == 1) draft.expressed({"pipeline_parallel"});
  draft.cannot("schedule", "DeepSpeed's pipeline is 1f1b");
  draft.always("schedule", "1f1b");
  draft.always("virtual_stages", "1");
  draft.cannot("stage_layers", "in code: PipelineModule(partition_method=...)");
  draft.always("messages", "whole");
  draft.always("overlap.point_to_point", "false");
  draft.cannot("context_parallel", "in code: DistributedAttention (Ulysses) over a group of ranks");
  if (plan.context.degree == 1) draft.expressed({"context_parallel"});
  draft.cannot("context.attention", "DeepSpeed has Ulysses, in code");
  draft.cannot("context.ulysses", "see context_parallel");
  draft.always("context.expand_kv", "false");
  draft.cannot("recompute",
               "in code: deepspeed.checkpointing or torch.utils.checkpoint around "
               "layers");
  draft.cannot("recompute_every", "see recompute");
  draft.cannot("recompute_operators", "see recompute");
  if (plan.recompute == Recompute::none) draft.expressed({"recompute"});
  draft.cannot("flash_attention", "the model's own setting");
  draft.cannot("fused_projections", "the model's own setting");
  draft.cannot("loss_kernels", "the model's own setting");
  draft.cannot("execution.gradient_accumulation", "the model's own setting");
  draft.cannot("execution.gated_activation", "the model's own setting");
}

void add_tensor(Draft& draft, Json& out) {
  const Plan& plan = draft.plan();
  draft.expressed({"tensor_parallel"});
  draft.always("sequence_parallel", "false");
  draft.always("tensor_backward", "per_linear");
  draft.cannot("overlap.tensor", "tp_overlap_comm overlaps all-reduces");
  draft.always("overlap.tensor", "false");
  if (plan.tensor == 1) return;
  Json tensor;
  tensor.set("autotp_size", plan.tensor);
  tensor.set("vocab_parallel_lm_head", !plan.gather_logits);
  draft.expressed({"loss"});
  out.set("tensor_parallel", tensor);
}

void add_experts(Draft& draft, Json& out) {
  const Plan& plan = draft.plan();
  if (!draft.model().mixture) return;
  draft.expressed({"expert_parallel"});
  draft.always("expert_tensor_parallel", "1");
  draft.always("expert.own_axis", "false");
  draft.always("expert.dispatcher", "all_to_all");
  draft.always("expert.dispatch", "bf16");
  draft.always("expert.backward_exchange", "true");
  draft.always("overlap.expert", "false");
  if (plan.expert.degree == 1) return;
  Json expert;
  expert.set("enabled", true);
  expert.set("autoep_size", plan.expert.degree);
  out.set("expert_parallel", expert);
}

void add_optimizer(Draft& draft, Json& out) {
  const Optimizer& optimizer = draft.plan().optimizer;
  const OptimizerKind kind = optimizer.kind;
  draft.cannot("optimizer.kind", "the JSON has Adam, AdamW, Muon and what torch.optim has");
  draft.cannot("optimizer.launch", "DeepSpeed's Adam is fused; torch_adam is foreach");
  const bool adam = kind == OptimizerKind::adam || kind == OptimizerKind::adamw;
  const std::string_view type = kind == OptimizerKind::adam    ? "Adam"
                                : kind == OptimizerKind::adamw ? "AdamW"
                                : kind == OptimizerKind::sgd   ? "SGD"
                                : kind == OptimizerKind::muon  ? "Muon"
                                                               : "";
  if (!type.empty()) {
    Json chosen;
    chosen.set("type", type);
    out.set("optimizer", chosen);
    draft.expressed({"optimizer.kind"});
  }
  if (adam && optimizer.launch == OptimizerLaunch::fused) draft.expressed({"optimizer.launch"});
  draft.cannot("optimizer.momentum", "optimizer.params.momentum is yours to choose");
  draft.always("optimizer.newton_schulz_steps", "5");
  draft.always("optimizer.gradients",
               draft.plan().precision.compute == base::DType::fp16 ? "copied" : "in_place");
  out.set("gradient_clipping", draft.plan().clip_gradients ? 1.0 : 0.0);
  draft.expressed({"clip_gradients"});
}

}  // namespace

Launch deepspeed(const Job& job, const Framework& framework) {
  Draft draft(job, framework);
  Json out;
  add_batch(draft, out);
  add_numbers(draft, out);
  add_zero(draft, out);
  add_tensor(draft, out);
  add_experts(draft, out);
  add_optimizer(draft, out);
  add_code_only(draft);
  draft.cannot("rank_order", "DeepSpeed's topology is pipe x data x model, model fastest");
  if (has_order(job.plan, "tp-cp-dp-pp")) draft.expressed({"rank_order"});
  return {out.text(), draft.left_out()};
}

}  // namespace strategies::launch
